"""What one run held of the machine over its time, in as few points as a chart needs.

Filled by the parent's looks that are made anyway (``runners.supervision.watch``), never by looks
of its own: each takes time from the model that is measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_POINTS = 240  # then neighbours are joined, so that a long run keeps no more than a short one


@dataclass(frozen=True)
class Point:
    """One moment of a run.

    Attributes:
        seconds: since the run's start.
        own_bytes: private memory of its process, as it was known then.
        available_bytes: what the machine could still give.
        device_bytes: what the process held of each accelerator; empty without one.
    """

    seconds: float
    own_bytes: int
    available_bytes: int
    device_bytes: tuple[int, ...] = ()


class MemorySamples:
    """The points of one run. Written by its pump thread alone; read by any.

    Attributes:
        looks: how many moments were noted, also those that were joined since.

    Args:
        started: ``time.monotonic`` at the start of the run.
    """

    def __init__(self, started: float) -> None:
        self.looks = 0
        self._started = started
        self._points: list[Point] = []

    def add(
        self,
        available_bytes: int,
        own_bytes: int | None = None,
        device_bytes: Sequence[int] | None = None,
    ) -> None:
        """Note a moment that is now; None stands for what was not looked at, and stays as it was.

        Args:
            available_bytes: what the machine can still give.
            own_bytes: what the process holds of RAM.
            device_bytes: what it holds of each accelerator.
        """
        latest = self._points[-1] if self._points else Point(0.0, 0, 0)
        point = Point(
            max(0.0, time.monotonic() - self._started),
            latest.own_bytes if own_bytes is None else own_bytes,
            available_bytes,
            latest.device_bytes if device_bytes is None else tuple(device_bytes),
        )
        points = [*self._points, point]
        self._points = points if len(points) <= MOST_POINTS else thinned(points)
        self.looks += 1

    def end(self, available_bytes: int) -> None:
        """Note that the process is gone and holds nothing."""
        held = self._points[-1].device_bytes if self._points else ()
        self.add(available_bytes, 0, (0,) * len(held))

    def columns(self) -> dict[str, list[Any]]:
        """Return the points as lists by name, ready for JSON; sizes in bytes."""
        points = self._points
        told: dict[str, list[Any]] = {
            "seconds": [round(point.seconds, 3) for point in points],
            "own_bytes": [point.own_bytes for point in points],
            "available_bytes": [point.available_bytes for point in points],
        }
        if any(point.device_bytes for point in points):
            told["device_bytes"] = [list(point.device_bytes) for point in points]
        return told


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return half as many points: of two neighbours the one that held more; both ends stay."""
    first, *between, last = points
    pairs = [between[i : i + 2] for i in range(0, len(between), 2)]
    return [first, *(max(pair, key=_held) for pair in pairs), last]


def _held(point: Point) -> tuple[int, int]:
    return point.own_bytes, sum(point.device_bytes)
