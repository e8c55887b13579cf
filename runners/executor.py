"""How an assignment is executed: the only thing that a comparison, or a job, knows of it.

A local child process (``runners.process.Run``) is one way. An executor is used for one assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from runners import protocol

Deliver = Callable[[protocol.Message], None]


@dataclass(frozen=True)
class Receipt:
    """What the machine had free before the run and has back after the child's exit, bytes."""

    available_before: int
    available_after: int
    peak_bytes: int
    peak_device_bytes: int = 0
    exit_seconds: float = 0.0


class Executor(Protocol):
    """Executes one assignment.

    Attributes:
        receipt: what it took of this machine; None before the end, or where it took nothing.
        log_tail: the last lines that it printed, known at the end.
        evaded_crash: how it died before it ran with safe settings; None where it did not.
    """

    receipt: Receipt | None
    log_tail: str
    evaded_crash: str | None

    def start(self, assignment: protocol.Assignment, deliver: Deliver) -> None:
        """Begin, and return at once.

        Messages are delivered in their order, from a thread of the executor, until exactly one
        final one; nothing after it. What is asked of it then is answered for good.
        """

    def stop(self) -> None:
        """Ask for the end and return at once; harmless at any time."""

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until nothing of it runs any more; return whether that is so."""

    @property
    def pid(self) -> int | None:
        """The process on this machine that executes it; None where there is none."""

    @property
    def verdict(self) -> dict[str, Any]:
        """What the engine was told in the end (``Assignment.verdict``)."""
