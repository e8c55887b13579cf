"""How many CPU threads a model may use."""

from __future__ import annotations

import math
import os
from typing import Any

import psutil

_CPU_QUOTA_FILE = "/sys/fs/cgroup/cpu.max"


def thread_count(config: dict[str, Any]) -> int:
    """Return the threads to compute with: the configured number, else those of a model alone."""
    return int(config.get("n_threads") or threads_for_one_of(1))


def threads_for_one_of(models: int) -> int:
    """Return the threads of each of several models that run at once, at least 1.

    They share the free physical cores: with as many threads as cores each, they wait for one
    another at every layer and run tens of times slower. Of more than two cores one is left to
    the page and to whoever else wants to compute.
    """
    cores = free_physical_cores()
    return max(1, (cores - 1 if cores > 2 else cores) // max(1, models))


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
