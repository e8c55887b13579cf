"""How long work will still take, from how fast its share has grown."""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_SECONDS = 2.0  # before which a speed says little
LEAST_SHARE = 0.02


class TimeLeft:
    """Estimates the rest of one piece of work, whenever one began to look at it.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or time.monotonic
        self._first: tuple[float, float] | None = None

    def after(self, share: float) -> float | None:
        """Take in the share that is done, 0 to 1; return the seconds left, None where unknown.

        A share that falls back is the beginning of something else.
        """
        now = self._clock()
        if self._first is None or share < self._first[1]:
            self._first = (now, share)
        seconds, grown = now - self._first[0], share - self._first[1]
        if seconds < LEAST_SECONDS or grown < LEAST_SHARE:
            return None
        return max(0.0, (1.0 - share) * seconds / grown)
