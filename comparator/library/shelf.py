"""What a scan has found, sorted into what can be asked and what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from comparator.core.models import ModelInfo
from comparator.formats import packed_weights
from comparator.library.discovery import Skipped
from comparator.library.facts.lookup import ModelFacts, facts_of, store
from comparator.library.facts.purposes import why_not_offered


@dataclass(frozen=True)
class Shelf:
    """What the models folder holds: what can be asked, what not, and what was passed over."""

    offered: list[ModelInfo] = field(default_factory=list)
    unusable: list[ModelInfo] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @classmethod
    def of(cls, models: Sequence[ModelInfo], skipped: Sequence[Skipped]) -> Shelf:
        """Sort the models of a scan, and add what it passed over itself.

        It waits for no facts: what is known already to be no language model is passed over.
        """
        others = {model.id: reason for model in models if (reason := _known_reason(model))}
        return cls(
            [model for model in models if not model.problem and model.id not in others],
            [model for model in models if model.problem],
            [*skipped, *(Skipped(m.path, others[m.id]) for m in models if m.id in others)],
        )

    def by_facts(self) -> Shelf:
        """Return it with what only the headers of files tell: heads, files for other programs.

        Reads those that are new, as whoever names quantisations does anyway.
        """
        sorted_out = Shelf([], [*self.unusable], [*self.skipped])
        for model in self.offered:
            facts = facts_of(model)
            if reason := why_not_offered(facts.purpose):
                sorted_out.skipped.append(Skipped(model.path, reason))
            elif problem := _why_not_here(facts):
                place = replace(model.location, problem=problem)
                sorted_out.unusable.append(replace(model, location=place))
            else:
                sorted_out.offered.append(model)
        return sorted_out


def _why_not_here(facts: ModelFacts) -> str | None:
    """Return why this program cannot run a model of these facts; None where nothing is known."""
    if facts.made_for or facts.quantisation_method is None:
        return facts.made_for
    label = facts.quantisation or facts.quantisation_method
    return packed_weights.why_not_here(facts.quantisation_method, label)


def _known_reason(model: ModelInfo) -> str | None:
    """Return why a model cannot be asked, from facts that were read before; None otherwise."""
    facts = None if model.problem else store().known(model)
    return why_not_offered(facts.purpose) if facts else None
