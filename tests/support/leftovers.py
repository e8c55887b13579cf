"""Processes that a test left behind."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runners.supervision.fork_server import fork_servers

SETTLE_SECONDS = 30.0


@contextlib.contextmanager
def none_may_be_left() -> Iterator[None]:
    """Fail when a child of this process is there at the end that was not there before."""
    before = {process.pid for process in _children()}
    yield
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        left = [process for process in _children() if process.pid not in before]
        if not left:
            return
        if time.monotonic() > end:
            pytest.fail(f"processes left behind: {left}")
        time.sleep(0.05)


def _children() -> list[psutil.Process]:
    """Children of the tests, without the fork servers, which live as long as the tests."""
    if not _has_children():  # of ten thousand tests most never had any
        return []
    servers = set(fork_servers.pids())
    children = psutil.Process().children(recursive=True)
    return [c for c in children if c.pid not in servers and not _is_helper(c)]


def _has_children() -> bool:
    """Whether this process has any child; where the kernel does not list them, it may have."""
    tasks = Path("/proc/self/task")
    try:
        return any((task / "children").read_bytes() for task in tasks.iterdir())
    except OSError:
        return True


def _is_helper(process: psutil.Process) -> bool:
    """Whether this is the browser driver's own process, or already gone."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        words = " ".join(process.cmdline())
    except psutil.Error:
        return True
    return "playwright" in words or "resource_tracker" in words
