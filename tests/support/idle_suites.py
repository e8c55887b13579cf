"""Runs of suites for tests, which answer when a test says so and start nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from kept_suites import record as record_of

from comparator.evaluation.suite_progress import SuiteProgress
from comparator.hosting.host import Host
from comparator.hosting.suites.evaluations import Evaluations
from comparator.storage.kept_suite import AssertionOutcome, Cell, KeptSuite
from comparator.storage.suites import Suites


class IdleRun:
    """A run in name only; a test answers its cells and ends it."""

    def __init__(self, store: Suites, kept: KeptSuite, on_news: Callable[[], None]) -> None:
        self._store, self._kept, self._on_news = store, kept, on_news
        self._ended = threading.Event()
        self.why = ""
        self.refusals: dict[int, str] = {}
        self.was_stopped = False

    @property
    def trouble(self) -> str:
        """Why not all was asked, as the run of an engine says it."""
        return " ".join(filter(None, (self.why, *self.refusals.values())))

    def start(self) -> IdleRun:
        """Keep it."""
        self._store.begin(self._kept)
        return self

    def answer(self, slot: int, prompt: int, passed: bool, content: str = "So.") -> None:
        """End one cell."""
        question = self._kept.suite.items[prompt].question
        record = record_of(self._kept.slots[slot], question, content)
        told = [AssertionOutcome("contains", passed, "It does." if passed else "It does not.")]
        self._take(Cell(slot, prompt, 0, "done", 1, record, told))

    def fail(self, slot: int, prompt: int, error: str) -> None:
        """End one cell without an answer."""
        record = record_of(self._kept.slots[slot], "", "")
        self._take(Cell(slot, prompt, 0, "failed", 1, {**record, "error": error}))

    def _take(self, cell: Cell) -> None:
        self._store.add_cells(self._kept.id, [cell])
        cells = [cell if other.key == cell.key else other for other in self._kept.cells]
        self._kept = msgspec.structs.replace(self._kept, cells=cells)
        self._on_news()

    def end(self) -> None:
        """End it as it stands."""
        is_whole = all(cell.state != "pending" for cell in self._kept.cells)
        state = "done" if is_whole else "interrupted"
        self._kept = msgspec.structs.replace(self._kept, state=state)
        self._store.update(self._kept)
        self._ended.set()
        self._on_news()

    def stop(self) -> None:
        """End it, as its children would."""
        self.was_stopped = True
        self.end()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for its end."""
        return self._ended.wait(timeout_seconds)

    def kept(self) -> KeptSuite:
        """Return it as it stands."""
        return self._kept

    def progress(self) -> SuiteProgress:
        """Return how far it is."""
        states = [cell.state for cell in self._kept.cells]
        return SuiteProgress(
            states.count("done"), states.count("failed"), len(states), 0, 12.0, "asks"
        )


class IdleRuns:
    """Makes runs and remembers them."""

    def __init__(self, store: Suites) -> None:
        self.store = store
        self.made: list[IdleRun] = []
        self.given: list[Sequence[Any]] = []
        self._news = threading.Condition()

    def __call__(self, kept: KeptSuite, on_news: Callable[[], None], slots: Any, judge: Any) -> Any:
        """Make a run."""
        run = IdleRun(self.store, kept, on_news)
        with self._news:
            self.made.append(run)
            self.given.append(slots)
            self._news.notify_all()
        return run

    def wait_for(self, count: int) -> IdleRun:
        """Wait until so many were made; return the last of them."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.made) >= count, 60)
            return self.made[count - 1]


def with_idle_suites(host: Host, folder: Path) -> IdleRuns:
    """Let a host's suites be run in name only, and be kept in a folder."""
    runs = IdleRuns(Suites(folder / "suites.sqlite3"))
    asked = (host._request, host.kept, host._offered, host.rates)
    host.evaluations = Evaluations(
        host.options, host.engine, host.admission, *asked, store=runs.store, make_run=runs
    )
    return runs
