"""Following a suite: views while it waits and runs, few enough to cost its models nothing."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

from comparator.hosting.suites.evaluations import Evaluations
from comparator.storage.kept_suite import KeptSuite
from comparator.ui.evaluate.results import result_of
from comparator.ui.evaluate.views import Matrix, View, of_live
from comparator.ui.threads import in_thread
from comparator.ui.wakeup import Wakeup

UPDATE_SECONDS = 0.5  # between two views at least
LOOK_SECONDS = 5.0  # a closed tab or client is noticed at a view and not before
MOST_SESSIONS = 512

_numbers = itertools.count(1)


class Looks:
    """Which look of each session's page is the latest: an earlier one ends."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, int] = OrderedDict()

    def begin(self, session_key: str) -> Callable[[], bool]:
        """Begin a look; return what says whether it is the latest still."""
        number = next(_numbers)
        self._latest[session_key] = number
        self._latest.move_to_end(session_key)
        while len(self._latest) > MOST_SESSIONS:
            self._latest.popitem(last=False)
        return lambda: self._latest.get(session_key) == number

    def end(self, session_key: str) -> None:
        """Forget a session."""
        self._latest.pop(session_key, None)


class Follower:
    """Looks at one suite.

    Args:
        suites: where it is.
        kept: how it stands.
        owner: whose it is.
    """

    def __init__(self, suites: Evaluations, kept: KeptSuite, owner: str) -> None:
        self._suites, self._kept, self._owner = suites, kept, owner
        self._live = suites.live(owner, kept.id)
        self._matrix = Matrix()
        self.was_live = self._live is not None

    async def views(self, is_current: Callable[[], bool]) -> AsyncIterator[View]:
        """Yield views until the suite is over, or somebody looks at something else."""
        wakeup = Wakeup()
        if self._live is not None:
            self._live.watch(wakeup.wake)
        try:
            yield await in_thread(self._view)
            while self._live is not None and is_current():
                started = time.monotonic()
                is_over = self._live.is_over
                if is_over:
                    self._live.unwatch(wakeup.wake)
                else:
                    await wakeup.wait(LOOK_SECONDS)
                    await asyncio.sleep(max(0.0, UPDATE_SECONDS - (time.monotonic() - started)))
                yield await in_thread(self._view)
                if is_over:
                    return
        finally:
            if self._live is not None:
                self._live.unwatch(wakeup.wake)

    def result(self) -> View:
        """Return what came of it as a whole. Computes: not for the loop."""
        return result_of(self._kept)

    def _view(self) -> View:
        if self._live is not None:
            self._kept = self._live.kept()
        return of_live(self._kept, self._matrix, self._live)
