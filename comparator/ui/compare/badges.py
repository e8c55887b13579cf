"""What was asked twice alike on a board, as keys and numbers for the browser to word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from comparator.comparison.kept import KeptComparison, Record
from comparator.comparison.repeats import Repeat, repeats_between, repeats_in
from comparator.core.limits import LETTERS


def badges(
    records: Sequence[Record],
    earlier: KeptComparison | None = None,
    answered_now: Collection[int] = (),
) -> list[dict[str, Any]]:
    """Return the badges of columns that are over.

    Args:
        records: the columns'.
        earlier: the comparison that this one goes on from or repeats.
        answered_now: the numbers of the columns that are not that one's own, counted from 0.
    """
    here = KeptComparison(id="", created=0.0, records=list(records))
    found = [_badge(repeat) for repeat in repeats_in(here)]
    if earlier is not None:
        before = repeats_between(here, earlier)
        found += [_badge(one, earlier.id) for one in before if one.first in answered_now]
    return found


def _badge(repeat: Repeat, earlier: str = "") -> dict[str, Any]:
    return {
        "first": LETTERS[repeat.first],
        "second": LETTERS[repeat.second],
        "earlier": earlier,
        "greedy": repeat.is_greedy,
        "word": repeat.parted.word if repeat.parted else None,
        "thought": repeat.parted_in_thought,
    }
