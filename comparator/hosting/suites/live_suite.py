"""A suite of a page from the line to its end, whoever looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from comparator.hosting.admission_queue import SUITE, Admission, Ticket
from comparator.hosting.errors import sentence_of
from comparator.hosting.session import OnNews as OnNews
from comparator.storage.kept_suite import KeptSuite

TOOK_LONG = (
    "A suite may take {:.0f} minutes of this public page, so that others have their turn. What was "
    "answered is kept; go on with it to wait for your next turn."
)
_WAIT_SECONDS = 3600.0  # a wait has an end; it is begun anew


class RunningSuite(Protocol):
    """What a suite's run can do (``evaluation.suite_run.SuiteRun``)."""

    @property
    def trouble(self) -> str:
        """Why not all was asked, slots that are refused included; empty where all was."""

    def start(self) -> Any:
        """Begin."""

    def stop(self) -> None:
        """Ask for the end."""

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end; return whether it has come."""

    def kept(self) -> KeptSuite:
        """Return it as it stands."""

    def progress(self) -> Any:
        """Return how far it is."""


MakeRun = Callable[[OnNews], RunningSuite]


class LiveSuite:
    """One suite that waits or runs. A thread of its own waits for the turn and for the end.

    Args:
        kept: what is to be run, as it is at the start.
        make_run: makes its run.
        session_key: which session of the page began it.
        visitor: what that visitor's sessions have in common.
        most_seconds: how long it may run at a time; None for as long as it takes.
        seen: makes a sentence of trouble one that its visitor may see; by default it is as it is.
    """

    def __init__(
        self,
        kept: KeptSuite,
        make_run: MakeRun,
        session_key: str,
        visitor: str = "",
        most_seconds: float | None = None,
        seen: Callable[[str], str] = str,
    ) -> None:
        self._seen = seen
        self.session_key, self.visitor = session_key, visitor
        self._trouble, self._most_seconds = "", most_seconds
        self._kept, self._make_run = kept, make_run
        self._run: RunningSuite | None = None
        self._ticket: Ticket | None = None
        self._stop_asked = threading.Event()
        self._over = threading.Event()
        self._watchers: list[OnNews] = []
        self._lock = threading.Lock()

    def begin(self, admission: Admission, on_end: OnNews) -> None:
        """Join the line.

        Raises:
            LineFullError: nothing further is taken.
        """
        ticket = self._ticket = admission.enter(self._tell, SUITE)
        if self._stop_asked.is_set():
            ticket.leave()
        try:
            threading.Thread(
                target=self._live, args=(ticket, on_end), name="comparator-suite", daemon=True
            ).start()
        except RuntimeError:  # the system has no thread left; nothing would give the place back
            ticket.leave()
            raise

    @property
    def id(self) -> str:
        """Its id among the kept suites."""
        return self._kept.id

    @property
    def owner(self) -> str:
        """Whose it is, as ``KeptSuite.owner``."""
        return self._kept.owner

    @property
    def position(self) -> int:
        """Return the place in line, counted from 1; 0 when it does not wait."""
        return self._ticket.position if self._ticket else 0

    @property
    def is_over(self) -> bool:
        """Whether its last child is gone."""
        return self._over.is_set()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._stop_asked.is_set()

    @property
    def trouble(self) -> str:
        """Why not all of it is asked, in sentences; empty where all is."""
        run = self._run
        told = [self._trouble, run.trouble if run is not None else ""]
        return self._seen(" ".join(filter(None, told)))

    def kept(self) -> KeptSuite:
        """Return it as it stands."""
        run = self._run
        return run.kept() if run is not None else self._kept

    def progress(self) -> Any:
        """Return how far its run is; None before it has begun."""
        run = self._run
        return run.progress() if run is not None else None

    def watch(self, on_news: OnNews) -> None:
        """Call whenever there is something to see, from other threads, until ``unwatch``."""
        with self._lock:
            self._watchers.append(on_news)

    def unwatch(self, on_news: OnNews) -> None:
        """Call no more; harmless when repeated."""
        with self._lock:
            self._watchers = [other for other in self._watchers if other is not on_news]

    def stop(self) -> None:
        """Ask for the end; returns at once and is harmless at any time. It can be resumed."""
        self._stop_asked.set()
        run = self._run
        if run is not None:
            run.stop()
        elif self._ticket is not None:
            self._ticket.leave()

    def join(self, timeout_seconds: float) -> bool:
        """Wait until its last child is gone; return whether it is."""
        return self._over.wait(timeout_seconds)

    def _live(self, ticket: Ticket, on_end: OnNews) -> None:
        try:
            if ticket.wait():
                self._run_it()
        except Exception as error:
            self._trouble = sentence_of(error)
        finally:
            ticket.leave()
            on_end()
            self._over.set()
            self._tell()

    def _run_it(self) -> None:
        if self._stop_asked.is_set():
            return
        run = self._make_run(self._tell)
        self._run = run
        run.start()
        if self._stop_asked.is_set():  # asked while it began
            run.stop()
        self._tell()
        if self._most_seconds is not None and not run.join(self._most_seconds):
            self._trouble = TOOK_LONG.format(self._most_seconds / 60)
            run.stop()
        while not run.join(_WAIT_SECONDS):
            continue

    def _tell(self) -> None:
        with self._lock:
            watchers = list(self._watchers)
        for on_news in watchers:
            on_news()
