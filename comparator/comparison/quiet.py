"""Keeps trials and measured runs apart: neither may take the other's processor."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

LONGEST_WAIT_SECONDS = 60.0  # far longer than a trial; then the run goes on beside it


class Quiet:
    """Counts the runs of this program and lets one trial at a time take place between them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._runs = 0
        self._trying = False
        self._waiting = 0

    def begin_run(self) -> None:
        """Note a run that is about to start, once no trial is under way."""
        with self._changed:
            self._wait_for_trial()
            self._runs += 1

    def end_run(self) -> None:
        """Note that a run is over."""
        with self._changed:
            self._runs -= 1
            self._changed.notify_all()

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

    def _wait_for_trial(self) -> None:
        self._waiting += 1
        self._changed.wait_for(lambda: not self._trying, LONGEST_WAIT_SECONDS)
        self._waiting -= 1


quiet = Quiet()
