"""Taking files out of the system's cache, and looking how much of them is in it. Linux only."""

from __future__ import annotations

import os
from pathlib import Path

PROBES = 200


def files_of(model: Path) -> list[Path]:
    """Return the files of a model that is one file or a folder."""
    return [model] if model.is_file() else sorted(p for p in model.iterdir() if p.is_file())


def drop(model: Path) -> None:
    """Take a model's files out of the cache; pages that another program maps stay.

    Files are written to the disk first, for only clean pages can be dropped.
    """
    for file in files_of(model):
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cached_share(model: Path) -> float | None:
    """Return the share of a model's bytes in the cache (0 to 1); None where nobody can tell.

    It asks for single bytes spread over each file without letting the system fetch them.
    """
    files = files_of(model)
    total = sum(file.stat().st_size for file in files)
    try:
        cached = sum(_cached(file) * file.stat().st_size for file in files)
    except (OSError, AttributeError):
        return None
    return cached / total if total else None


def _cached(file: Path) -> float:
    size = file.stat().st_size
    step = max(1, size // PROBES)
    offsets = range(0, size, step)
    with open(file, "rb") as opened:
        found = sum(_is_cached(opened.fileno(), offset) for offset in offsets)
    return found / max(1, len(offsets))


def _is_cached(descriptor: int, offset: int) -> bool:
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False
