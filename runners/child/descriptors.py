"""Which open files a child keeps: what it was given, and none of those who made it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection

_STANDARD = frozenset({0, 1, 2})
_LISTING = "/proc/self/fd"


def close_all_but(kept: Collection[int]) -> list[int]:
    """Close every descriptor but the standard three and these; return what was closed.

    Linux alone: elsewhere the system keeps descriptors of its own that must not be closed.
    """
    if not sys.platform.startswith("linux"):
        return []
    return [number for number in sorted(opened() - _STANDARD - set(kept)) if _closed(number)]


def opened() -> set[int]:
    """Return the numbers of all open descriptors of this process."""
    return {int(name) for name in os.listdir(_LISTING)}  # its own is closed again by now


def _closed(number: int) -> bool:
    with contextlib.suppress(OSError):
        os.close(number)
        return True
    return False
