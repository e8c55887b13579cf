"""Keeps measured runs apart from everything else that this program does.

A trial takes place between runs. Work in the background waits while a model is measured
(``background`` and ``rest``), or is done by a child at idle priority, of which runs are told
(``beside``).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST_WAIT_SECONDS = 60.0  # far longer than a trial; then the run goes on beside it
REST_WITHIN_SECONDS = 1.0  # far longer than a piece of work; then the run goes on beside it


@dataclass(eq=False)
class MeasuredRun:
    """One run between ``begin_run`` and ``end_run``.

    Attributes:
        waited_seconds: until everything else was at rest.
        beside: what worked beside it, by name.
        of: the number of the comparison that it belongs to.
        together: how many runs of the same comparison there were beside it.
        comparisons: how many runs of others there were beside it.
    """

    waited_seconds: float = 0.0
    beside: set[str] = field(default_factory=set)
    of: int | None = None
    together: int = 0
    comparisons: int = 0

    def meet(self, other: MeasuredRun) -> None:
        """Note a run that is measured at the same time."""
        if self.of is not None and self.of == other.of:
            self.together += 1
        else:
            self.comparisons += 1


@dataclass(eq=False)
class _Work:
    name: str
    is_waited_for: bool  # it rests soon, so that a run may wait for that


class Quiet:
    """Counts the runs of this program and holds off what may not work beside them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._runs: list[MeasuredRun] = []
        self._works: list[_Work] = []
        self._trying = False
        self._waiting = 0
        self._own = threading.local()

    def begin_run(self, of: int | None = None) -> MeasuredRun:
        """Note a run that is about to start, once no trial is under way and all work rests.

        Args:
            of: a number of the comparison that it belongs to, to tell its runs from others'.
        """
        began = time.monotonic()
        run = MeasuredRun(of=of)
        with self._changed:
            self._wait_for_trial()
            is_busy = any(work.is_waited_for for work in self._works)
            for other in self._runs:
                run.meet(other)
                other.meet(run)
            self._runs.append(run)  # from now on work rests
            self._changed.wait_for(self._rests, REST_WITHIN_SECONDS)
            run.beside.update(work.name for work in self._works)
        run.waited_seconds = time.monotonic() - began if is_busy else 0.0
        return run

    def end_run(self, run: MeasuredRun) -> tuple[str, ...]:
        """Note that a run is over, and return the names of what worked beside it."""
        with self._changed:
            self._runs.remove(run)
            self._changed.notify_all()
        return tuple(sorted(run.beside))

    @property
    def is_measuring(self) -> bool:
        """Whether a model is measured."""
        return bool(self._runs)

    @property
    def is_wanted(self) -> bool:
        """Whether someone waits for the end of a trial."""
        return self._waiting > 0

    @contextlib.contextmanager
    def for_trial(self) -> Iterator[bool]:
        """Hold runs off for the body; yields False, and holds nothing, while one is measured."""
        with self._changed:
            self._wait_for_trial()
            may_try = not self._trying and not self._runs
            self._trying = self._trying or may_try
        try:
            yield may_try
        finally:
            if may_try:
                with self._changed:
                    self._trying = False
                    self._changed.notify_all()

    @contextlib.contextmanager
    def background(self, name: str) -> Iterator[None]:
        """Do the body's work between runs: it waits now, and wherever it calls ``rest``."""
        outer = getattr(self._own, "work", None)
        work = _Work(name, is_waited_for=True)
        self._begin(work)
        self._own.work = work
        try:
            yield
        finally:
            self._own.work = outer
            self._end(work)

    @property
    def is_background(self) -> bool:
        """Whether this thread does work in the background."""
        return getattr(self._own, "work", None) is not None

    def rest(self) -> None:
        """Wait until no run is measured, where this thread does work in the background."""
        work = getattr(self._own, "work", None)
        if work is not None and self._runs:
            self._end(work)
            self._begin(work)

    @contextlib.contextmanager
    def in_a_child(self) -> Iterator[None]:
        """Have the body's work done by a child at idle priority: it waits for no run.

        Changes nothing in a thread that does no work in the background.
        """
        work = getattr(self._own, "work", None)
        if work is None:
            yield
            return
        self._end(work)
        try:
            with self.beside(work.name):
                yield
        finally:
            self._begin(work)

    @contextlib.contextmanager
    def beside(self, name: str) -> Iterator[None]:
        """Tell runs of work that does not wait for them."""
        work = _Work(name, is_waited_for=False)
        self._begin(work)
        try:
            yield
        finally:
            self._end(work)

    def _begin(self, work: _Work) -> None:
        with self._changed:
            if work.is_waited_for:
                self._changed.wait_for(lambda: not self._runs)
            self._works.append(work)
            for run in self._runs:
                run.beside.add(work.name)

    def _end(self, work: _Work) -> None:
        with self._changed:
            self._works.remove(work)
            self._changed.notify_all()

    def _rests(self) -> bool:
        return not any(work.is_waited_for for work in self._works)

    def _wait_for_trial(self) -> None:
        self._waiting += 1
        self._changed.wait_for(lambda: not self._trying, LONGEST_WAIT_SECONDS)
        self._waiting -= 1


quiet = Quiet()
