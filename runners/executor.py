"""How an assignment is executed: the only thing that a comparison, or a job, knows of it.

A local child process (``runners.process.Run``) is one way. An executor is used for one assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from runners import protocol

Deliver = Callable[[protocol.Message], None]


@dataclass(frozen=True)
class Receipt:
    """What the machine had free before the run and has back after the child's exit, bytes.

    Attributes:
        available_before: RAM that the machine could give before the run.
        available_after: the same when its process was gone.
        peak_bytes: the most that its process held of RAM.
        peak_device_bytes: the same of all accelerators.
        exit_seconds: from its last word until it was gone.
        devices: of each accelerator ``name``, ``total_bytes``, ``free_before`` and ``free_after``.
        samples: what it held over its time (``runners.machine.memory_samples``), as lists.
    """

    available_before: int
    available_after: int
    peak_bytes: int
    peak_device_bytes: int = 0
    exit_seconds: float = 0.0
    devices: tuple[dict[str, Any], ...] = ()
    samples: dict[str, list[Any]] = field(default_factory=dict)


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
    def samples(self) -> dict[str, list[Any]]:
        """What it has held so far of this machine's memory, as ``Receipt.samples``."""

    @property
    def looks(self) -> int:
        """How many looks at its memory ``samples`` are made of."""

    @property
    def verdict(self) -> dict[str, Any]:
        """What the engine was told in the end (``Assignment.verdict``)."""
