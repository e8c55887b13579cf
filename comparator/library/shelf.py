"""What a scan has found, sorted into what can be asked and what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from comparator.core.models import ModelInfo
from comparator.library.discovery import Skipped
from comparator.library.facts.lookup import facts_of, store
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


def can_be_asked(models: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Leave out what is no language model by its files: heads, projectors, embedding models.

    Reads the headers of files that are new, as whoever names quantisations does anyway.
    """
    return [model for model in models if why_not_offered(facts_of(model).purpose) is None]


def _known_reason(model: ModelInfo) -> str | None:
    """Return why a model cannot be asked, from facts that were read before; None otherwise."""
    facts = None if model.problem else store().known(model)
    return why_not_offered(facts.purpose) if facts else None
