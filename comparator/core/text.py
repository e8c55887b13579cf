"""Text that any terminal, JSON file and page can take."""

from __future__ import annotations

import os
import re
from typing import Any

_SURROGATES = re.compile("[\ud800-\udfff]")
# All C0 and C1 controls but tab and line feed, and the marks that turn the reading direction.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# An absolute path up to its last name; not the address of a web page.
_FOLDERS = re.compile(r"""(?<![\w.~/\\-])(?:[A-Za-z]:)?[/\\](?:[^\s/\\:"'<>|]+[/\\])+""")

# What takes no room or turns the reading direction. In an answer most of it is honest writing
# (the joiners of emoji and of Indic and Persian letters); in a name it only passes for another.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot carry, by U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def plain(value: Any) -> Any:
    """Return JSON's values with text that UTF-8 can carry: file names may hold other bytes."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def with_controls_shown(text: str) -> str:
    """Show control characters as escapes, so that they cannot steer a terminal or a page."""
    return _CONTROLS.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def without_folders(text: str, *folders: str) -> str:
    """Return a text that names files without where they lie.

    Args:
        text: a sentence, or what a library has printed.
        folders: those that it may name, also with blanks in them.
    """
    for folder in sorted(filter(None, folders), key=len, reverse=True):
        text = text.replace(folder.rstrip("/\\") + os.sep, "")
    return text


def without_paths(text: str, *folders: str) -> str:
    """Return the same, and without any other folder that can be known by its form."""
    return _FOLDERS.sub("", without_folders(text, *folders))


def name_shown(text: str) -> str:
    """Return a name on one line in which nothing is hidden: what takes no room is an escape."""
    plain = " ".join(without_surrogates(text).split())
    return _HIDDEN.sub(
        lambda match: match.group().encode("unicode_escape").decode(), with_controls_shown(plain)
    )
