"""How much memory a program and its descendants hold, now and at their peak."""

from __future__ import annotations

import threading
from typing import NamedTuple

import psutil

SAMPLE_SECONDS = 0.05


class Holding(NamedTuple):
    """Memory in bytes.

    Attributes:
        parent: private to the program itself (USS).
        children: private to each of its descendants, by process id.
        proportional: of all of them, shared pages divided among those that share (PSS).
    """

    parent: int
    children: dict[int, int]
    proportional: int

    @property
    def private(self) -> int:
        """Private memory of the program and its descendants together."""
        return self.parent + sum(self.children.values())

    def added(self, before: Holding) -> tuple[int, int]:
        """Return what new descendants hold, and what those that were there hold more."""
        new = sum(held for pid, held in self.children.items() if pid not in before.children)
        old = sum(
            held - before.children[pid]
            for pid, held in self.children.items()
            if pid in before.children
        )
        return new, old


def of(pid: int) -> Holding:
    """Return what a program and its descendants hold; those that are gone count as nothing."""
    root = psutil.Process(pid)
    own = _memory(root)
    others = {process.pid: _memory(process) for process in root.children(recursive=True)}
    proportional = own[1] + sum(shared for _, shared in others.values())
    return Holding(own[0], {pid: private for pid, (private, _) in others.items()}, proportional)


def _memory(process: psutil.Process) -> tuple[int, int]:
    try:
        full = process.memory_full_info()
    except (psutil.Error, OSError):
        return 0, 0
    return int(full.uss), int(getattr(full, "pss", full.uss))


class Peak:
    """Looks again and again at a program until it is left; reading costs the program a little.

    Attributes:
        private: the most private memory of the program and its descendants together, bytes.
        proportional: the most memory with shared pages divided, bytes.
    """

    def __init__(self, pid: int) -> None:
        self.private = self.proportional = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            is_last = self._over.is_set()  # one look more, after the end was told
            try:
                now = of(self._pid)
            except psutil.Error:
                return
            self.private = max(self.private, now.private)
            self.proportional = max(self.proportional, now.proportional)
            if is_last:
                return
            self._over.wait(SAMPLE_SECONDS)
