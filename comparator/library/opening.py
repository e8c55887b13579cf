"""Opening files that strangers have made."""

from __future__ import annotations

import os


def without_waiting(path: str, flags: int) -> int:
    """Open also a pipe without waiting for its writer; an ``opener`` of ``open``."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
