"""Room on a disk."""

from __future__ import annotations

import shutil
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free where a folder is, or will be when it is made.

    Raises:
        OSError: the disk does not tell.
    """
    absolute = folder.absolute()
    for place in (absolute, *absolute.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
    raise FileNotFoundError(f"{folder} is on no disk")
