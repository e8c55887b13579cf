"""The page's scripts, styles and fixed texts, which lie in ``static``."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
_STYLES = (
    *("page.css", "slots.css", "board.css", "fair_play.css", "machine.css", "export.css"),
    *("blind.css", "ratings.css"),
    *("history.css", "library.css", "hub.css", "evaluate.css", "narrow.css"),
)
STYLES = tuple(STATIC / name for name in _STYLES)


def static_text(*names: str) -> str:
    """Return files of ``static`` as one text, one after another."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
