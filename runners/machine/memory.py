"""How much memory a process holds and what the machine or its container can give, in bytes."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from runners.machine.control_groups import groups_of

UNLIMITED = 1 << 60
# version -> limit, use, file cache that can be dropped, kills for memory
_FILES = {
    2: ("memory.max", "memory.current", "inactive_file", "memory.events"),
    1: (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
        "memory.oom_control",
    ),
}


def private_bytes(pid: int | None = None) -> int:
    """Return the memory that only this process holds (USS); 0 when it is gone or hidden.

    A forked child's resident size counts pages that it shares with its fork server, which
    is why that figure would be wrong here. Source: ``/proc/PID/smaps_rollup`` on Linux.
    """
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except (psutil.Error, OSError):
        return 0


def taken_bytes(pid: int) -> int:
    """Return what a process holds that the system cannot take back; 0 when it is gone.

    Pages of mapped files, such as llama.cpp's weights, are left out: ``available_bytes``
    counts them as available, although a model that runs needs them.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            text = file.read()
    except OSError:
        return private_bytes(pid)
    kilobytes = [line.split()[1] for line in text.splitlines() if line.startswith("Private_Dirty:")]
    return sum(map(int, kilobytes)) * 1024


def available_bytes() -> int:
    """Return what this program may still take without swapping, its container considered."""
    free = [limit - use for limit, use in map(_limit_and_use, groups_of("memory"))]
    return int(max(0, min([psutil.virtual_memory().available, *free])))


def total_bytes() -> int:
    """Return the RAM that this program may use: the machine's, or its container's."""
    limits = [limit for limit, _ in map(_limit_and_use, groups_of("memory"))]
    return int(min([psutil.virtual_memory().total, *limits]))


def kills() -> int:
    """Return how often the system has killed in this program's container for memory."""
    counts = [0]
    for folder, version in groups_of("memory"):
        with contextlib.suppress(OSError):
            counts.append(_value(folder / _FILES[version][3], "oom_kill"))
    return max(counts)


def _limit_and_use(group: tuple[Path, int]) -> tuple[int, int]:
    folder, version = group
    limit, use, cache, _ = _FILES[version]
    try:
        most = min(int((folder / limit).read_text()), UNLIMITED)
        used = int((folder / use).read_text())
    except (OSError, ValueError):  # gone, or the word "max"
        return UNLIMITED, 0
    with contextlib.suppress(OSError):
        used -= _value(folder / "memory.stat", cache)
    return most, max(0, used)


def _value(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdigit():
            return int(words[1])
    return 0
