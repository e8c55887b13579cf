"""Rows of plain text in columns of equal width, as a terminal shows them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence


def aligned(rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    """Yield rows with columns of equal width; the last one is as long as it is.

    Args:
        rows: of equally many cells.
        right: the numbers of the columns that end together instead of beginning together.
    """
    rows = list(rows)
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            _padded(text, width, number in right)
            for number, (text, width) in enumerate(zip(row[:-1], widths[:-1], strict=True))
        ]
        yield "  ".join([*cells, row[-1]])


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Return how many columns text takes on a terminal: wide characters two, marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )
