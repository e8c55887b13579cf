"""When answers are graded: what takes no time as they come, the rest when no model writes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from comparator.storage.kept_suite import Cell, Item

if TYPE_CHECKING:
    from comparator.evaluation.assertions import Grader

# These start a process or load a model; all others take microseconds (docs/suites.md).
_SLOW_TYPES = ("python", "similar")
_LONGEST_SECONDS = 0.02  # beside a writing model; of an item that took longer the rest waits


class Grading:
    """Grades the cells of a suite; used by one thread.

    Args:
        items: the prompts, with their assertions.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._slow = {
            number
            for number, item in enumerate(items)
            if any(one.type.removeprefix("not-") in _SLOW_TYPES for one in item.assertions)
        }
        self._grader: Grader | None = None

    def at_once(self, cell: Cell) -> Cell:
        """Return a cell as it ends, beside a writing model: graded where that takes no time."""
        if cell.prompt in self._slow:
            return cell
        began = time.monotonic()
        graded = self.later(cell)
        if time.monotonic() - began > _LONGEST_SECONDS:
            self._slow.add(cell.prompt)
        return graded

    def later(self, cell: Cell) -> Cell:
        """Return a cell graded, whatever it takes."""
        if not self.is_due(cell):
            return cell
        outcomes = self._ready().grade(self._items[cell.prompt], cell.record or {})
        return msgspec.structs.replace(cell, assertions=outcomes)

    def is_due(self, cell: Cell) -> bool:
        """Whether a cell was answered, has assertions, and was not graded."""
        is_asked = bool(self._items[cell.prompt].assertions)
        return is_asked and cell.state == "done" and not cell.assertions

    def make_ready(self) -> None:
        """Import what grades, before a model is measured."""
        if any(item.assertions for item in self._items):
            self._ready().make_ready(self._items)

    def close(self) -> None:
        """Give back what was loaded."""
        if self._grader is not None:
            self._grader.close()

    def _ready(self) -> Grader:
        if self._grader is None:
            from comparator.evaluation.assertions import Grader

            self._grader = Grader()
        return self._grader
