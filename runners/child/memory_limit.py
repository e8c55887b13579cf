"""A ceiling for the memory of this process, so that it fails before the machine runs out.

``RLIMIT_DATA`` counts private writable memory and leaves out files that are mapped to be read,
as llama.cpp maps its weights. Linux alone counts mapped memory by it. See docs/decisions/0007.
"""

from __future__ import annotations

import sys

# What counts as private memory and holds nothing yet: a stack of 8 MB and an arena per
# thread, and what libraries set aside when they are loaded.
SLACK_BYTES = 512 * 1024 * 1024
SLACK_BYTES_PER_THREAD = 16 * 1024 * 1024
# What is kept for telling the failure once the ceiling was met.
RESERVE_BYTES = 64 * 1024 * 1024


def impose(limit_bytes: int, mapped_bytes: int = 0, threads: int = 1) -> int:
    """Let this process take so many bytes more than it has, and return the ceiling.

    Args:
        limit_bytes: the memory that it may take; 0 sets no ceiling.
        mapped_bytes: files that will be mapped privately, which count but can be dropped.
        threads: that it will compute with.

    Returns:
        The ceiling in bytes, 0 where the system offers none.
    """
    if limit_bytes <= 0 or not sys.platform.startswith("linux"):
        return 0
    import resource

    slack = SLACK_BYTES + SLACK_BYTES_PER_THREAD * threads
    soft = data_bytes() + limit_bytes + mapped_bytes + slack
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = soft + RESERVE_BYTES
    if hard != resource.RLIM_INFINITY:
        soft, wanted = min(soft, hard), min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, wanted))
    return soft


def lift() -> None:
    """Make the reserve usable, for the last words of a process that met its ceiling."""
    if sys.platform.startswith("linux"):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def data_bytes() -> int:
    """Return what the kernel counts as this process's private memory, resident or not."""
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0
