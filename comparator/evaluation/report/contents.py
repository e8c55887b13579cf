"""What every form of report is made of: a kept suite, read once."""

from __future__ import annotations

import datetime
import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from comparator.comparison.exports.words import settings_of
from comparator.comparison.record_facts import number_of, text_of
from comparator.core.models import InferenceResult
from comparator.core.text import name_shown, plain, without_folders, without_paths
from comparator.core.units import fine_size, seconds, speed
from comparator.evaluation.disturbed_cells import disturbed_sentence
from comparator.evaluation.pareto import Pareto, pareto_of
from comparator.evaluation.report.words import NOT_MEASURED, counted, letter_of, rate_in_words
from comparator.evaluation.statistics import pairs_of, summary_of
from comparator.storage.kept_suite import Cell, KeptSuite, Record


@dataclass(frozen=True)
class Contents:
    """One suite as it is written down.

    Attributes:
        kept: the suite.
        summary: what came of each slot, as ``suite show --json`` has it.
        pairs: what can be told of slots in pairs; the same.
        pareto: which slots are worth keeping.
    """

    kept: KeptSuite
    summary: list[Record]
    pairs: list[Record]
    pareto: Pareto

    @classmethod
    def of(cls, kept: KeptSuite) -> Contents:
        """Read a suite; text that UTF-8 cannot carry is replaced in it."""
        return cls(kept, plain(summary_of(kept)), plain(pairs_of(kept)), pareto_of(kept))

    @cached_property
    def labels(self) -> list[str]:
        """What the slots are called, with the letters by which they are told apart."""
        return [
            f"{letter_of(number)} · {name_shown(slot.label or str(slot.model.get('name') or ''))}"
            for number, slot in enumerate(self.kept.slots)
        ]

    @cached_property
    def cells(self) -> dict[tuple[int, int], list[Cell]]:
        """The cells of each slot and prompt, in the order of their repeats."""
        found: dict[tuple[int, int], list[Cell]] = {}
        for cell in sorted(self.kept.cells, key=lambda one: one.key):
            found.setdefault((cell.slot, cell.prompt), []).append(cell)
        return found

    @property
    def moment(self) -> str:
        """When it was begun, as ISO 8601 in UTC, to the second."""
        moment = datetime.datetime.fromtimestamp(self.kept.created, datetime.UTC)
        return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")

    @property
    def slots(self) -> range:
        """The numbers of the slots."""
        return range(len(self.kept.slots))

    @property
    def prompts(self) -> range:
        """The numbers of the prompts."""
        return range(len(self.kept.suite.items))

    def of_slot(self, slot: int) -> Iterator[Cell]:
        """Yield the cells of a slot."""
        return (cell for cell in self.kept.cells if cell.slot == slot)

    def without_paths(self, text: str) -> str:
        """Return a sentence of ours without where on this machine anything lies."""
        return without_paths(text, *self._folders)

    def without_folders(self, text: str) -> str:
        """Return the same of a text that quotes others: only folders of the models are taken out.

        What looks like a path in it may be a regular expression.
        """
        return without_folders(text, *self._folders)

    @cached_property
    def _folders(self) -> list[str]:
        models = [slot.model for slot in self.kept.slots]
        return [os.path.dirname(str(model.get("path") or "")) for model in models]

    def result_of(self, cell: Cell) -> InferenceResult | None:
        """Return a cell's record as a result, without paths; None where it has none."""
        if not text_of(cell.record or {}, "model", "id"):
            return None
        result = InferenceResult.from_record(cell.record or {})
        fallbacks = [self.without_paths(one) for one in result.fallbacks]
        return replace(
            result,
            error=self.without_paths(result.error) if result.error else result.error,
            notice=self.without_paths(result.notice) if result.notice else result.notice,
            engine={**result.engine, "fallbacks": fallbacks},
        )

    # ---- sentences that stand in every form ----

    @cached_property
    def heading(self) -> str:
        """What was asked of how many, in a sentence."""
        counts = [
            counted(len(self.prompts), "prompt"),
            counted(len(self.slots), "model"),
            *([f"{self.kept.repeats} answers to each"] if self.kept.repeats > 1 else []),
        ]
        return f"{' × '.join(counts)}. {self._state}"

    @property
    def _state(self) -> str:
        states = [cell.state for cell in self.kept.cells]
        told = f"{states.count('done')} of {counted(len(states), 'answer')}"
        if failed := states.count("failed"):
            told += f", {failed} could not be answered"
        if waits := states.count("pending"):
            word = "is still running" if self.kept.state == "running" else "was interrupted"
            return f"{told}. The suite {word}: {waits} of them are not there yet."
        return f"{told}."

    @cached_property
    def notes(self) -> list[str]:
        """What is to be known of how the suite was read, without paths."""
        return [self.without_paths(note) for note in self.kept.suite.notes]

    @cached_property
    def disturbed(self) -> str:
        """How many answers were disturbed, in a sentence; empty for none."""
        return disturbed_sentence(self.kept.cells)

    def speeds(self, slot: int) -> tuple[str, str]:
        """Return the speed of an answer written alone, and that of answers written at once."""
        line, sizes = self.summary[slot], self.batches(slot)
        alone = speed(line.get("tokens_per_second"), NOT_MEASURED)
        low, high = line.get("tokens_per_second_range") or (None, None)
        if low is not None and high is not None and high > low:
            alone += f" ({low:.1f} to {high:.1f})"
        together = NOT_MEASURED
        if sizes and max(sizes) > 1:
            total = speed(line.get("aggregate_tokens_per_second"), NOT_MEASURED)
            together = f"{total}, {self.batch_in_words(slot)}"
        return alone, together

    def batches(self, slot: int) -> list[int]:
        """Return how many answers a slot wrote at once, each number once, the smallest first."""
        return sorted({cell.batch for cell in self.of_slot(slot) if cell.batch})

    def batch_in_words(self, slot: int) -> str:
        """Return the same in words: ``8 at once``, ``3 to 8 at once``, ``one by one``."""
        sizes = self.batches(slot)
        if not sizes:
            return NOT_MEASURED
        if sizes[-1] == 1:
            return "one by one"
        return f"{sizes[0]} to {sizes[-1]} at once" if len(sizes) > 1 else f"{sizes[0]} at once"

    def figures(self, slot: int) -> dict[str, str]:
        """Return what was measured of a slot, in words, by the page's keys."""
        line, kept = self.summary[slot], self.kept.slots[slot]
        alone, together = self.speeds(slot)
        return {
            "pass_rate": rate_in_words(line.get("pass_rate"), line.get("interval")),
            "passed": f"{line['passed']} of {line['told']}",
            "answered": str(line["answered"]),
            "failed": str(line["failed"]),
            "pending": str(line["pending"]),
            "speed_alone": alone,
            "speed_together": together,
            "first_token": seconds(self._median(slot, "time_to_first_token"), NOT_MEASURED),
            "tokens": self._number(slot, "token_count"),
            "load": seconds(line.get("load_seconds"), NOT_MEASURED),
            "memory": fine_size(line.get("peak_bytes"), NOT_MEASURED),
            "disk": fine_size(number_of(kept.model, "size"), NOT_MEASURED),
        }

    def rates_by_tag(self) -> dict[str, list[str]]:
        """Return the pass rate of each slot by tag, in words; tags of which nothing is told not."""
        tables = [line.get("tags") or {} for line in self.summary]
        found = {
            tag: [rate_in_words(one[tag]["pass_rate"], one[tag]["interval"]) for one in tables]
            for tag in (tables[0] if tables else ())
        }
        return {tag: rates for tag, rates in found.items() if set(rates) != {NOT_MEASURED}}

    def settings(self, slot: int) -> list[str]:
        """Return all settings of a slot, one a line, without folders."""
        kept = self.kept.slots[slot]
        told = {"model": {"id": "", **kept.model}, "config": kept.config}
        return [
            self.without_folders(line) for line in settings_of(InferenceResult.from_record(told))
        ]

    def _median(self, slot: int, name: str) -> float | None:
        values = [number_of(cell.record or {}, "stats", name) for cell in self.of_slot(slot)]
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None

    def _number(self, slot: int, name: str) -> str:
        found = self._median(slot, name)
        return NOT_MEASURED if found is None else f"{found:.0f}"
