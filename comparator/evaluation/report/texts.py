"""Texts of people and models, made to fit in a report that stays readable."""

from __future__ import annotations

MOST_LETTERS = 20_000  # of one text in a report
_BEGINNING = 100


def clipped(text: str, most: int = MOST_LETTERS) -> tuple[str, str]:
    """Return a text without what is too long of it, and a sentence on that; empty for none."""
    rest = len(text) - most
    if rest <= 0:
        return text, ""
    return f"{text[:most]}…", (
        f"{rest:,} more characters were left out here; the JSON lines of this suite have them."
    )


def beginning(text: str) -> str:
    """Return how a text begins, on one line."""
    line = " ".join(text[: 4 * _BEGINNING].split())
    return line if len(line) <= _BEGINNING else f"{line[: _BEGINNING - 1]}…"
