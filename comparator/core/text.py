"""Text that any terminal, JSON file and page can take."""

from __future__ import annotations

import re

_SURROGATES = re.compile("[\ud800-\udfff]")
# All C0 and C1 controls but tab and line feed, and the marks that turn the reading direction.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot carry, by U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def with_controls_shown(text: str) -> str:
    """Show control characters as escapes, so that they cannot steer a terminal or a page."""
    return _CONTROLS.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
