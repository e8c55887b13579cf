"""Work that may take only what nobody else wants of the processor."""

from __future__ import annotations

import contextlib
import os

LOWEST = 19


def become_idle() -> None:
    """Give this process the lowest priority; its threads must be started after that.

    Linux has a class for it (SCHED_IDLE, sched(7)); elsewhere it is the lowest niceness. Where
    the system refuses, the priority stays what it was.
    """
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(LOWEST)
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
