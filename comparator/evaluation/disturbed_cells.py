"""Answers of a suite during which others took so much that a speed is not the model's own.

They are asked once more, and what stays disturbed is left out of the speeds of a summary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from comparator.storage.kept_suite import Cell

MOST_IN_VAIN = 3  # in a row: where others never rest, to ask on would take long and help nobody
MEASURED_AGAIN = (
    "It was asked a second time, since others took a part of the processor while it wrote the "
    "first time; all figures are of the second."
)


def is_disturbed(cell: Cell) -> bool:
    """Whether an answer was written while others took so much that its speed is not the model's."""
    stats = (cell.record or {}).get("stats") or {}
    return cell.state == "done" and "decode" in (stats.get("disturbed") or ())


def disturbed_sentence(cells: Iterable[Cell]) -> str:
    """Return how many answers were disturbed, in a sentence; empty for none."""
    answered = [cell for cell in cells if cell.state == "done"]
    count = sum(map(is_disturbed, answered))
    if not count:
        return ""
    answers = "answer" if len(answered) == 1 else "answers"
    return (
        f"Other programs took processor time from {count} of {len(answered)} {answers}: these "
        "speeds are not the models' own, alone they would be higher, and the summary leaves them "
        "out."
    )


def is_worth_asking(cell: Cell) -> bool:
    """Whether a cell is asked once more: of several at once none has a speed of its own."""
    return cell.batch == 1 and is_disturbed(cell)


@dataclass
class SecondAsking:
    """Takes the cells that were asked a second time, and keeps those that were undisturbed then.

    What is no better changes nothing: the first answer stays, with its sentence.

    Attributes:
        keep: takes what is kept.
        in_vain: how many were disturbed again, or failed, since the last that was not.
    """

    keep: Callable[[Cell], None]
    in_vain: int = field(default=0, init=False)

    @property
    def is_in_vain(self) -> bool:
        """Whether to ask on would help nobody."""
        return self.in_vain >= MOST_IN_VAIN

    def take(self, cell: Cell) -> None:
        """Take in a cell as it ends."""
        if cell.state != "done" or is_disturbed(cell):
            self.in_vain += 1
            return
        self.in_vain = 0
        record = cell.record or {}
        notice = " ".join(filter(None, (record.get("notice"), MEASURED_AGAIN)))
        self.keep(msgspec.structs.replace(cell, record={**record, "notice": notice}))
