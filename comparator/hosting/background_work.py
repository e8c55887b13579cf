"""Long work in a thread of its own, and how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from comparator.hosting.errors import sentence_of

Progress = TypeVar("Progress")
Work = Callable[[Callable[[Progress], None], Callable[[], bool]], object]


class WorkStopped(Exception):
    """Raised by work that ends early because it was asked to."""


@dataclass(frozen=True)
class WorkStatus(Generic[Progress]):
    """How far work is, or how it ended.

    Attributes:
        progress: its latest news; None before the first.
        is_over: whether nothing more will come.
        trouble: why it failed, in words.
        was_stopped: whether it ended early because somebody asked it to.
    """

    progress: Progress | None = None
    is_over: bool = False
    trouble: str = ""
    was_stopped: bool = False


class BackgroundWork(Generic[Progress]):
    """One piece of work. It goes on whoever looks, and does not hold the program's end up.

    Args:
        name: of its thread, after ``comparator-``.
        work: does it. It is given what it calls with its news, and what says whether it was
            asked to stop, upon which it raises ``WorkStopped``.
        on_news: called in the thread whenever the status is a new one.
    """

    def __init__(
        self, name: str, work: Work[Progress], on_news: Callable[[], object] = lambda: None
    ) -> None:
        self._work, self._on_news = work, on_news
        self._status: WorkStatus[Progress] = WorkStatus()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"comparator-{name}", daemon=True)

    @property
    def status(self) -> WorkStatus[Progress]:
        """Return how far it is; one object, so that it never contradicts itself."""
        return self._status

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; returns at once and is harmless at any time."""
        self._stop.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end; return whether it has come."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _live(self) -> None:
        trouble, was_stopped = "", False
        try:
            self._work(self._report, self._stop.is_set)
        except WorkStopped:
            was_stopped = True
        except Exception as error:
            trouble = sentence_of(error)
        self._tell(replace(self._status, is_over=True, trouble=trouble, was_stopped=was_stopped))

    def _report(self, progress: Progress) -> None:
        self._tell(WorkStatus(progress))

    def _tell(self, status: WorkStatus[Progress]) -> None:
        self._status = status
        self._on_news()
