"""What this program holds: descriptors, threads, processes, temporary files."""

from __future__ import annotations

import gc
import os
import tempfile
import threading

import psutil

from runners.supervision.fork_server import fork_servers

PREFIXES = ("pymp-", "comparator-run-")


def holdings() -> dict[str, object]:
    """Count what a program may leak; fork servers are no leak."""
    gc.collect()
    me = psutil.Process()
    children = {p.pid for p in me.children(recursive=True)} - set(fork_servers.pids())
    ours = tuple(f"{prefix}{os.getpid()}-" for prefix in PREFIXES[1:])
    return {
        "descriptors": me.num_fds(),
        "threads": threading.active_count(),
        "children": {pid for pid in children if psutil.pid_exists(pid)},
        "zombies": [p for p in me.children() if p.status() == psutil.STATUS_ZOMBIE],
        "shared memory": sorted(os.listdir("/dev/shm")),
        "temporary files": sorted(
            name
            for name in os.listdir(tempfile.gettempdir())
            if name.startswith((PREFIXES[0], *ours))
        ),
    }


def in_words(held: dict[str, object]) -> str:
    """Return the counts as one line, for a report."""
    return ", ".join(
        f"{name} {len(value) if isinstance(value, (set, list)) else value}"
        for name, value in held.items()
    )
