"""How many CPU threads a model may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from runners.machine.control_groups import groups_of

PROCESSORS = "/sys/devices/system/cpu"
_ANY_NUMBER = 1 << 20


def thread_count(configured: int | None = None) -> int:
    """Return the threads to compute with: the configured number, else those of a model alone."""
    return int(configured or threads_for_one_of(1))


def threads_for_one_of(models: int) -> int:
    """Return the threads of each of several models that run at once, at least 1.

    They share the free physical cores: with as many threads as cores each, they wait for one
    another at every layer and run tens of times slower. Of more than two cores one is left to
    the page and to whoever else wants to compute.
    """
    cores = free_physical_cores()
    return max(1, (cores - 1 if cores > 2 else cores) // max(1, models))


def other_thread_counts() -> tuple[int, ...]:
    """Return the numbers of threads that might be faster here than the rule's, often none.

    Where a core has several logical processors, all of these; where some cores are slower than
    the others, as many as there are fast ones.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = os.sched_getaffinity(0)
    paid = min([_ANY_NUMBER, *map(_cores_paid_for, groups_of("cpu"))])
    found = {min(len(allowed), paid), min(_fast_cores(allowed), paid)}
    return tuple(sorted(found - {0, threads_for_one_of(1), free_physical_cores()}))


def _fast_cores(processors: Iterable[int]) -> int:
    """Return how many of the cores are as fast as the fastest; 0 where nobody says."""
    speeds: dict[str, int] = {}
    try:
        for number in processors:
            folder = Path(PROCESSORS, f"cpu{number}")
            core = (folder / "topology" / "thread_siblings_list").read_text("ascii")
            speeds[core] = int((folder / "cpufreq" / "cpuinfo_max_freq").read_text("ascii"))
    except (OSError, ValueError):
        return 0
    fast = 0.9 * max(speeds.values(), default=0)  # favoured cores are a little faster than others
    return sum(speed >= fast for speed in speeds.values())


def free_physical_cores() -> int:
    """Return how many physical cores this process may use, at least 1.

    Limited by the affinity mask (a container's set of processors is one) and by the quota of
    CPU time of its control groups. Hyperthreads do not count: a second thread on a core makes
    decoding slower.
    """
    limits = [_physical_cores(), *map(_cores_paid_for, groups_of("cpu"))]
    return max(1, min(limits))


def _physical_cores() -> int:
    """Return the physical cores behind the logical processors that this process may run on."""
    logical = os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    if not hasattr(os, "sched_getaffinity"):
        return physical
    allowed = os.sched_getaffinity(0)
    return _cores_of(allowed) or min(physical, len(allowed))


def _cores_of(processors: Iterable[int]) -> int | None:
    """Return how many cores these logical processors belong to; None where nobody says."""
    try:
        siblings = {
            Path(PROCESSORS, f"cpu{number}", "topology", "thread_siblings_list").read_text("ascii")
            for number in processors
        }
    except (OSError, ValueError):
        return None
    return len(siblings)


def quota_cores() -> float | None:
    """Return how many cores the quota of a control group pays for; None without one."""
    shares = [share for share in map(_share_paid_for, groups_of("cpu")) if share is not None]
    return min(shares, default=None)


def _cores_paid_for(group: tuple[Path, int]) -> int:
    """Return the cores that a control group's quota of time pays for, any number without one."""
    share = _share_paid_for(group)
    return _ANY_NUMBER if share is None else math.ceil(share)


def _share_paid_for(group: tuple[Path, int]) -> float | None:
    folder, version = group
    try:
        if version == 1:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        else:
            quota, period = (folder / "cpu.max").read_text().split()
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # none there, or the word "max"
        return None
    return share if share > 0 else None  # -1 is none in version 1
