"""The panel of what a comparison takes of the machine, as the view of the board has it.

Drawn by ``static/machine.js``: at most once a second, and only when a look at a model's memory has
come that is made anyway; drawing takes processor time from the model that is measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from comparator.comparison import machine_use
from comparator.comparison.record_facts import Record
from comparator.core.text import with_controls_shown
from comparator.ui.compare.columns import AnyColumn

REDRAW_SECONDS = 1.0

Mark = list[tuple[int, int, int, bool]]  # what the panel was made of


class MachinePanel:
    """Makes the panel's view, and keeps it while nothing is new."""

    def __init__(self) -> None:
        self._mark: Mark = []
        self._made = 0.0
        self._view: dict[str, Any] | None = None
        self._version = 0

    def view(self, columns: Sequence[AnyColumn]) -> dict[str, Any] | None:
        """Return what the panel shows; None before the first look at a model."""
        if not self._is_due(mark := _mark(columns)):
            return self._view
        records = [column.record_so_far() for column in columns]
        self._mark, self._made, self._version = mark, time.monotonic(), self._version + 1
        self._view = {**view_of(records), "version": self._version}
        return self._view

    def _is_due(self, mark: Mark) -> bool:
        if mark == self._mark or not any(looks or ended for _, _, looks, ended in mark):
            return False
        ended = [one[-1] for one in mark] != [one[-1] for one in self._mark]
        return ended or time.monotonic() - self._made >= REDRAW_SECONDS


def view_of(records: Sequence[Record]) -> dict[str, Any]:
    """Return what the panel shows of records."""
    told = machine_use.of(records).to_record()
    names = [with_controls_shown(name) for name in told["names"]]
    return {**told, "names": names, "version": 0}


def _mark(columns: Sequence[AnyColumn]) -> Mark:
    return [(id(one), one.attempt, one.looks, one.is_complete) for one in columns]
