"""The page's scripts, styles and fixed texts, which lie in ``static``."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
STYLES = tuple(STATIC / name for name in ("page.css", "library.css", "hub.css"))


def static_text(*names: str) -> str:
    """Return files of ``static`` as one text, one after another."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
