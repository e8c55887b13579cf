"""One visitor's comparison, and all that are under way, by the session that began them.

A visitor is a session key that only that visitor's browser or client knows; stop and leave act
on that session's comparisons alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from comparator.comparison.comparison import Comparison
from comparator.core.exceptions import ConfigurationError
from comparator.hosting.admission_queue import SUITE, Admission, Ticket
from comparator.services.inference_engine import InferenceEngine

OnNews = Callable[[], None]
BEHIND_A_SUITE = (
    "A suite of many prompts is running, and models run one after another: this waits until the "
    "suite ends or is stopped."
)


class BusyError(ConfigurationError):
    """The session has a comparison under way."""

    def __init__(
        self,
        sentence: str = "Your comparison is still running. Stop it first, or wait for its end.",
    ) -> None:
        super().__init__(sentence)


class Session:
    """One visitor's comparison, from the line to the exit of its last child.

    One reader drains it. A thread of its own waits for the turn and for the end, so that the
    place is given back when the children are reaped, whoever still looks.

    Args:
        engine: what runs it.
        comparison: what is run.
        columns: which columns of the visitor's page it fills; as many as it has, by default.
        visitor: who asked, whatever the session.
        keep: keeps the comparison when it has ended, whoever still looks; returns in a sentence
            why it could not, empty where it could.

    Attributes:
        left_out: why another column of the page is not asked, by its place counted from 0.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        comparison: Comparison,
        columns: Sequence[int] | None = None,
        visitor: str = "",
        keep: Callable[[Comparison], str] | None = None,
    ) -> None:
        self.visitor = visitor
        self._keep = keep
        self._is_kept = False
        self._is_over = threading.Event()
        self.comparison = comparison
        self._columns = columns or range(len(comparison.request.slots))
        self.left_out: Mapping[int, str] = {}
        self.trouble: str | None = None
        self._engine = engine
        self._ticket: Ticket | None = None
        self._stop_asked = False

    def begin(self, admission: Admission, on_news: OnNews, on_end: OnNews) -> None:
        """Join the line.

        Raises:
            LineFullError: no further comparison is taken.
        """
        ticket = self._ticket = admission.enter(on_news)
        if self.comparison.has_ended:  # stopped by another thread before it had a ticket
            ticket.leave()
        try:
            threading.Thread(
                target=self._live, args=(ticket, on_end), name="comparator-session", daemon=True
            ).start()
        except RuntimeError:  # the system has no thread left; nothing would give the place back
            ticket.leave()
            raise

    @property
    def columns(self) -> Sequence[int]:
        """Which columns of the visitor's page it fills, counted from 0, in their order."""
        return self._columns

    @property
    def position(self) -> int:
        """Return the place in line, counted from 1; 0 when it does not wait."""
        return self._ticket.position if self._ticket else 0

    @property
    def waits_for(self) -> str:
        """Return what it waits for, in a sentence, where that may take long; else nothing."""
        return BEHIND_A_SUITE if self._ticket and self._ticket.waits_behind(SUITE) else ""

    @property
    def is_stopping(self) -> bool:
        """Whether all of it was asked to stop."""
        return self._stop_asked

    @property
    def is_complete(self) -> bool:
        """Whether the reader has seen the end of every column."""
        return self.comparison.is_complete

    @property
    def is_running(self) -> bool:
        """Whether it waits or has children, and nobody has asked it to stop."""
        return not self._stop_asked and not self.comparison.has_ended

    def stop(self, column: int | None = None) -> None:
        """Stop one column of the page or all; returns at once and is harmless at any time."""
        if column is None:
            self._stop_asked = True
            self.comparison.stop()
        elif column in self._columns:
            self.comparison.stop(self._columns.index(column))
        if self.comparison.has_ended and self._ticket:
            self._ticket.leave()

    @property
    def is_to_be_kept(self) -> bool:
        """Whether the history is to have it."""
        return self.comparison.name is not None

    @property
    def kept_as(self) -> str | None:
        """Its id in the history; None until it is kept."""
        return self.comparison.name if self._is_kept else None

    def join(self, timeout_seconds: float) -> bool:
        """Wait until no child is left and the comparison is kept."""
        return self._is_over.wait(timeout_seconds)

    def _live(self, ticket: Ticket, on_end: OnNews) -> None:
        try:
            if ticket.wait() and not self.comparison.has_ended:
                self._engine.start(self.comparison)
            self.comparison.wait_until_ended()
        except OSError as error:
            self.trouble = f"The model processes could not be started: {error}."
            self.comparison.stop()
        finally:
            self._engine.finish(self.comparison)
            ticket.leave()
            try:
                self._settle()
            finally:
                on_end()
                self._is_over.set()

    def _settle(self) -> None:
        """Take in what nobody has read, such as of a tab that was closed, and keep it all."""
        self.comparison.settle()
        if self._keep is None or not self.is_to_be_kept:
            return
        why_not = self._keep(self.comparison)
        self._is_kept = not why_not
        if why_not:
            self.comparison.name = None
            self.trouble = self.trouble or why_not


class Sessions:
    """The comparisons under way; usable from any thread.

    Args:
        one_a_visitor: a visitor's sessions all together may have one running, not each of them.
    """

    def __init__(self, one_a_visitor: bool = False) -> None:
        self._one_a_visitor = one_a_visitor
        self._by_key: dict[str, list[Session]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def add(self, key: str, session: Session) -> None:
        """Take a comparison in.

        Raises:
            BusyError: another one of its session or visitor runs.
            ConfigurationError: none is taken any more.
        """
        with self._lock:
            if self._closed:
                raise ConfigurationError("The page is being closed.")
            if self._has_running(key, session.visitor):
                raise BusyError
            self._by_key.setdefault(key, []).append(session)

    def forget(self, key: str, session: Session) -> None:
        """Leave a comparison out from now on; harmless when repeated."""
        with self._lock:
            left = [other for other in self._by_key.get(key, ()) if other is not session]
            if left:
                self._by_key[key] = left
            else:
                self._by_key.pop(key, None)

    def of(self, key: str) -> list[Session]:
        """Return a session's comparisons that run, wait or end, the latest last."""
        with self._lock:
            return list(self._by_key.get(key, ()))

    def refuse_second(self, key: str, visitor: str) -> None:
        """Refuse where one is running already.

        Raises:
            BusyError: it is.
        """
        with self._lock:
            if self._has_running(key, visitor):
                raise BusyError

    def close(self) -> list[Session]:
        """Take none any more, and return those that are left."""
        with self._lock:
            self._closed = True
            return [session for several in self._by_key.values() for session in several]

    def _has_running(self, key: str, visitor: str) -> bool:
        return any(
            session.is_running
            for other, sessions in self._by_key.items()
            for session in sessions
            if other == key or (self._one_a_visitor and session.visitor == visitor)
        )
