"""Charts as SVG that stands in a page: in its colours, with a name and a description.

They have no style and no script of their own, so that any policy of a page lets them be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from html import escape

from comparator.core.text import name_shown, without_surrogates

WIDTH = 720  # of a chart, in its own units; a letter is about 7 of them wide
LETTER_WIDTH, LETTER_HEIGHT = 7.0, 12.0
LONGEST_LABEL = 34  # letters


def chart(title: str, description: str, height: float, marks: Iterable[str]) -> str:
    """Return a chart.

    Args:
        title: what it is called.
        description: what it shows, in sentences, for those who do not see it.
        height: in its own units.
        marks: its elements.
    """
    body = "".join(marks)
    known = hashlib.sha256(f"{title}{description}{body}".encode("utf-8", "replace")).hexdigest()[:8]
    return without_surrogates(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'role="img" aria-labelledby="chart-{known} about-{known}" font-size="12" '
        f'font-family="inherit" fill="currentColor" stroke="none">'
        f'<title id="chart-{known}">{escape(title)}</title>'
        f'<desc id="about-{known}">{escape(name_shown(description))}</desc>{body}</svg>'
    )


def line(x1: float, y1: float, x2: float, y2: float, width: float = 1, opacity: float = 1) -> str:
    """Return a straight line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="currentColor" stroke-width="{width:g}" opacity="{opacity:g}"/>'
    )


def text(x: float, y: float, words: str, anchor: str = "start", opacity: float = 1) -> str:
    """Return a line of text; ``anchor`` is ``start``, ``middle`` or ``end``."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" opacity="{opacity:g}">'
        f"{escape(words)}</text>"
    )


def shortened(label: str) -> str:
    """Return a label that has room in a chart."""
    shown = name_shown(label)
    return shown if len(shown) <= LONGEST_LABEL else f"{shown[: LONGEST_LABEL - 1]}…"


def width_of(words: str) -> float:
    """Return about how wide a text is: an ideograph takes two letters' room."""
    return LETTER_WIDTH * sum(2 if ord(letter) >= 0x2E80 else 1 for letter in words)
