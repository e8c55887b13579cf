"""The time that several waits have together."""

from __future__ import annotations

import time
from collections.abc import Callable


class Countdown:
    """Gives each of several waits what the ones before it left, so that they do not add up.

    Args:
        seconds: for all of them.
        clock: seconds that never go back.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or time.monotonic
        self._end = self._clock() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; 0 when it is over."""
        return max(0.0, self._end - self._clock())
