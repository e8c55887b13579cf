"""The panel that says whether a comparison was fair, as the view of the board has it.

Drawn by ``static/fair_play.js``, which words the names and values in the reader's language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comparator.comparison.fairness import fair_play
from comparator.comparison.record_facts import Record
from comparator.core.text import with_controls_shown
from comparator.ui.compare.columns import AnyColumn

LONGEST_SHOWN = 60_000  # characters of a rendered prompt; "What was sent" has the whole of it


class FairPlayPanel:
    """Makes the panel's view once, when every column has ended."""

    def __init__(self) -> None:
        self._of: list[tuple[int, int]] = []
        self._view: dict[str, Any] | None = None

    def view(self, columns: Sequence[AnyColumn]) -> dict[str, Any] | None:
        """Return what the panel shows; None while a column goes on."""
        if not all(column.is_complete for column in columns):
            return None
        shown = [(id(column), column.attempt) for column in columns]
        if shown != self._of or self._view is None:
            self._of, self._view = shown, view_of([column.record() for column in columns])
        return self._view


def view_of(records: Sequence[Record]) -> dict[str, Any]:
    """Return what the panel shows of records, with all their control characters shown."""
    told: dict[str, Any] = _safe(fair_play.of(records).to_record())
    for column in told["columns"]:
        column["pieces"], column["left_out"] = _shortened(column["pieces"])
    return told


def _shortened(pieces: Sequence[Sequence[Any]]) -> tuple[list[list[Any]], int]:
    """Return as much of a prompt as is shown, and how many characters are left out after it."""
    shown, left, left_out = [], LONGEST_SHOWN, 0
    for text, is_special in pieces:
        if left:
            shown.append([text[:left], is_special])
        left_out += len(text[left:])
        left = max(0, left - len(text))
    return shown, left_out


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return with_controls_shown(value)
    if isinstance(value, dict):
        return {with_controls_shown(str(name)): _safe(one) for name, one in value.items()}
    return [_safe(one) for one in value] if isinstance(value, (list, tuple)) else value
