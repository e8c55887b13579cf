"""How many CPU threads a model may use. Accelerators are asked for by the engines themselves."""

from __future__ import annotations

import math
import os
from typing import Any

import psutil

_CPU_QUOTA_FILE = "/sys/fs/cgroup/cpu.max"


def thread_count(config: dict[str, Any]) -> int:
    """Return the threads to compute with: the configured number, else the free physical cores."""
    return int(config.get("n_threads") or free_physical_cores())


def free_physical_cores() -> int:
    """Return how many physical cores this process may use, at least 1.

    Limited by the affinity mask and by a container's CPU quota. Hyperthreads do not count:
    a second thread on a core makes decoding slower.
    """
    logical = os.cpu_count() or 1
    limits = [psutil.cpu_count(logical=False) or logical]
    if hasattr(os, "sched_getaffinity"):
        limits.append(len(os.sched_getaffinity(0)))
    limits.append(_cores_of_quota() or logical)
    return max(1, min(limits))


def _cores_of_quota() -> int | None:
    """Return the cores that a control group's quota pays for, None without a quota."""
    try:
        with open(_CPU_QUOTA_FILE, encoding="ascii") as file:
            quota, period = file.read().split()
        return None if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
