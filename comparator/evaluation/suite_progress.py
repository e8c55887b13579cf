"""How far a suite has come, and how long it will still take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from comparator.evaluation.disturbed_cells import is_disturbed
from comparator.storage.kept_suite import Cell, KeptSuite

# A model ten times as large is about ten times as slow; beyond that nothing is guessed.
_LARGEST_RATIO = 20.0
SuiteStage = Literal["", "preparing", "loading", "answering", "grading", "judging"]


@dataclass(frozen=True)
class SuiteProgress:
    """How far a suite has come.

    Attributes:
        done: cells that were answered.
        failed: cells that could not be.
        total: all cells.
        slot: the number of the slot that is asked; None between them and at the end.
        seconds_left: until the last answer; None where that cannot be told.
        stage: what goes on; empty at the end.
        percent: how much of that is done; None where it is told by the cells, or not at all.
    """

    done: int
    failed: int
    total: int
    slot: int | None = None
    seconds_left: float | None = None
    stage: SuiteStage = ""
    percent: int | None = None

    @property
    def ended(self) -> int:
        """Cells that have ended, either way."""
        return self.done + self.failed


@dataclass
class CellPace:
    """What a cell of each slot takes, as far as some have ended in this run.

    A slot that was not asked yet is taken to be slower by as much as its model is larger.
    """

    sizes: Sequence[int]
    _spent: dict[int, tuple[float, int]] = field(default_factory=dict)  # seconds, cells

    def note(self, slot: int, seconds: float, cells: int) -> None:
        """Take in how long a slot has worked, its load included, and how many cells have ended."""
        if cells > 0 and seconds > 0:
            self._spent[slot] = seconds, cells

    def seconds_left(self, pending: dict[int, int]) -> float | None:
        """Return how long the pending cells of each slot will take; None before one has ended."""
        if not self._spent:
            return None
        return sum(self._of_a_cell(slot) * cells for slot, cells in pending.items())

    def _of_a_cell(self, slot: int) -> float:
        if slot in self._spent:
            seconds, cells = self._spent[slot]
            return seconds / cells
        alike = min(self._spent, key=lambda other: abs(self.sizes[other] - self.sizes[slot]))
        ratio = self.sizes[slot] / self.sizes[alike] if self.sizes[alike] else 1.0
        seconds, cells = self._spent[alike]
        return seconds / cells * min(_LARGEST_RATIO, max(1 / _LARGEST_RATIO, ratio))


def pending_of(kept: KeptSuite) -> dict[int, int]:
    """Return how many cells of each slot are pending; slots without one are left out."""
    found: dict[int, int] = {}
    for cell in kept.cells:
        if cell.state == "pending":
            found[cell.slot] = found.get(cell.slot, 0) + 1
    return found


def answering_seconds(cells: Sequence[Cell]) -> float:
    """Return for how long answers were being read and written: overlapping ones count once."""
    times = sorted(_span(stats) for stats in _stats(cells))
    total, reached = 0.0, 0.0
    for begin, end in times:
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def aggregate_tokens_per_second(cells: Sequence[Cell]) -> float | None:
    """Return tokens of all answers by the time in which they were read and written.

    With one at a time as with several at once, prompts included: what a slot gets done. What was
    disturbed is left out, with what was written at the same time. None where nothing is left.
    """
    cells = _undisturbed(cells)
    seconds = answering_seconds(cells)
    tokens = sum(int(stats.get("token_count") or 0) for stats in _stats(cells))
    return tokens / seconds if seconds > 0 else None


def _undisturbed(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that were written at no time at which a disturbed one was."""
    disturbed = [_span(stats) for stats in _stats([cell for cell in cells if is_disturbed(cell)])]
    if not disturbed:
        return list(cells)
    return [
        cell
        for cell in cells
        for stats in _stats([cell])
        if not is_disturbed(cell) and not any(_meet(_span(stats), span) for span in disturbed)
    ]


def _span(stats: dict[str, float]) -> tuple[float, float]:
    return stats["start_time"], stats["end_time"]


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _stats(cells: Sequence[Cell]) -> list[dict[str, float]]:
    told = [cell.record["stats"] for cell in cells if cell.state == "done" and cell.record]
    return [stats for stats in told if stats.get("start_time") and stats.get("end_time")]
