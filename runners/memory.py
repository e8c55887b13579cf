"""How much memory a process or its device holds, in bytes."""

from __future__ import annotations

import psutil


def private_bytes(pid: int | None = None) -> int:
    """Return the memory that only this process holds (USS); 0 when it is gone or hidden.

    A forked child's resident size counts pages that it shares with its fork server, which
    is why that figure would be wrong here. Source: ``/proc/PID/smaps_rollup`` on Linux.
    """
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except (psutil.Error, OSError):
        return 0


def available_bytes() -> int:
    """Return what the machine can still give to programs without swapping."""
    return int(psutil.virtual_memory().available)
