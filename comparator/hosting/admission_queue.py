"""The line in front of the comparisons: first come, first served, and everyone sees their place.

A place is held from the start of a comparison until its last child process is reaped; what a
browser or Gradio thinks of it does not matter here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from comparator.core.exceptions import MultiLLMError

SUITE = "suite"  # a kind of work that takes long, as ``Ticket.what``


class LineFullError(MultiLLMError):
    """So many comparisons wait that no further one is taken."""


class Ticket:
    """One comparison's place: in line first, then at work, then given back by ``leave``."""

    def __init__(self, admission: Admission, on_change: Callable[[], None], what: str = "") -> None:
        self._admission = admission
        self.what = what
        self._settled = threading.Event()
        self.tell = on_change
        self.is_admitted = False

    @property
    def position(self) -> int:
        """Return 0 at work (or gone), else the place in line, counted from 1."""
        return self._admission.position_of(self)

    def waits_behind(self, what: str) -> bool:
        """Return whether it waits, and something of that kind is at work."""
        return self._admission.is_behind(self, what)

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the turn; return whether it has come (False also when the ticket was left)."""
        self._settled.wait(timeout_seconds)
        return self.is_admitted

    def leave(self) -> None:
        """Give the place back, at work or in line; harmless when repeated."""
        self._admission.release(self)

    def settle(self, admitted: bool) -> None:
        """Say that the waiting is over; called by the line."""
        self.is_admitted = admitted
        self._settled.set()


class Admission:
    """Lets ``at_once`` comparisons work and ``line_length`` wait.

    Of suites one works at a time; another waits, and lets comparisons behind it pass meanwhile.

    Its callbacks (``on_change`` of ``enter``) are called without its lock, from any thread.
    """

    def __init__(self, at_once: int = 1, line_length: int = 32) -> None:
        self._at_once = max(1, at_once)
        self._line_length = max(0, line_length)
        self._lock = threading.Lock()
        self._at_work: list[Ticket] = []
        self._line: list[Ticket] = []

    def enter(self, on_change: Callable[[], None] = lambda: None, what: str = "") -> Ticket:
        """Join the line and return a ticket, which is admitted at once where a place is free.

        Args:
            on_change: called when its place in line has changed.
            what: the kind of work it is for, such as a suite; empty for a comparison.

        Raises:
            LineFullError: so many wait already that it is better to come back later.
        """
        ticket = Ticket(self, on_change, what)
        with self._lock:
            if self._may_work(ticket):
                self._admit(ticket)
            elif len(self._line) >= self._line_length:
                raise LineFullError(
                    f"{len(self._line)} comparisons are waiting already, and no more can join "
                    "the line. Try again in a few minutes."
                )
            else:
                self._line.append(ticket)
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Take a ticket out, let the next ones in, and tell all whose place has changed."""
        with self._lock:
            waiting = list(self._line)
            self._at_work = [other for other in self._at_work if other is not ticket]
            self._line = [other for other in self._line if other is not ticket]
            if not ticket.is_admitted:
                ticket.settle(admitted=False)
            for other in list(self._line):
                if self._may_work(other):
                    self._line.remove(other)
                    self._admit(other)
        for other in waiting:
            other.tell()

    def position_of(self, ticket: Ticket) -> int:
        """Return a ticket's place in line, counted from 1; 0 when it does not wait."""
        with self._lock:
            for position, other in enumerate(self._line, start=1):
                if other is ticket:
                    return position
        return 0

    def is_behind(self, ticket: Ticket, what: str) -> bool:
        """Return whether a ticket waits while something of a kind is at work."""
        with self._lock:
            waits = any(other is ticket for other in self._line)
            return waits and any(other.what == what for other in self._at_work)

    def _may_work(self, ticket: Ticket) -> bool:
        if len(self._at_work) >= self._at_once:
            return False
        return ticket.what != SUITE or all(other.what != SUITE for other in self._at_work)

    def _admit(self, ticket: Ticket) -> None:
        self._at_work.append(ticket)
        ticket.settle(admitted=True)
