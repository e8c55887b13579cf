"""Ending a child: ask, terminate, kill the whole tree. It never waits; call it again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field

import psutil

ASK_GRACE_SECONDS = 0.1
TERMINATE_GRACE_SECONDS = 0.1
KILL_AGAIN_SECONDS = 0.2


def ask(pid: int) -> None:
    """Let the child's token loop end by itself."""
    if hasattr(signal, "SIGUSR1"):
        os.kill(pid, signal.SIGUSR1)


def terminate(pid: int) -> None:
    """End the child by the signal that a program may still catch."""
    os.kill(pid, signal.SIGTERM)


def kill_tree(pid: int) -> None:
    """Kill the child, what it started, and what is left of its process group."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        family = []
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    kill_group(pid)
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).kill()


def kill_group(pid: int) -> None:
    """Kill the members of a child's process group, also those that outlived it."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


_RUNGS = (
    (ask, ASK_GRACE_SECONDS),
    (terminate, TERMINATE_GRACE_SECONDS),
    (kill_tree, KILL_AGAIN_SECONDS),
)


@dataclass
class Termination:
    """Climbs one rung each time the grace of the rung before has passed."""

    rung: int = 0
    next_at: float = field(default_factory=time.monotonic)

    def climb(self, pid: int) -> None:
        """Take the next rung if it is time; the last one is repeated until the child is gone."""
        now = time.monotonic()
        if now < self.next_at:
            return
        action, grace = _RUNGS[min(self.rung, len(_RUNGS) - 1)]
        with contextlib.suppress(ProcessLookupError):
            action(pid)
        self.rung += 1
        self.next_at = now + grace

    def skip_to_kill(self) -> None:
        """Go straight to the kill, for a child that broke the protocol."""
        self.rung = len(_RUNGS) - 1
        self.next_at = 0.0
