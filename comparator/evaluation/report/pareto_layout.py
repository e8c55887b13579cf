"""Where bubbles and labels of a chart stand: a logarithmic axis, and labels that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from comparator.evaluation.report import svg

_GAP = 5.0  # between a bubble and its label
_TRIES = 12  # rows that a label may be moved up or down


class Box(NamedTuple):
    """A rectangle, by its left upper corner."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: Box) -> bool:
        """Whether two have a point in common."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def is_in(self, room: Box) -> bool:
        """Whether it is all in another one."""
        return (
            room.x <= self.x
            and room.y <= self.y
            and self.x + self.width <= room.x + room.width
            and self.y + self.height <= room.y + room.height
        )


class Disc(NamedTuple):
    """A bubble: its middle and its radius."""

    x: float
    y: float
    radius: float

    @property
    def box(self) -> Box:
        """The square around it."""
        return Box(self.x - self.radius, self.y - self.radius, 2 * self.radius, 2 * self.radius)


def places_of_labels(
    discs: Sequence[Disc], words: Sequence[str], bars: Sequence[Box], room: Box
) -> list[Box]:
    """Return where each label stands: beside its bubble, and on no bubble, bar or other label.

    Where there is no such place it stands beside its bubble nevertheless.
    """
    taken = [*(disc.box for disc in discs), *bars]
    found: list[Box] = []
    for disc, word in zip(discs, words, strict=True):
        box = _free(disc, svg.width_of(word), taken, room)
        taken.append(box)
        found.append(box)
    return found


def _free(disc: Disc, width: float, taken: Sequence[Box], room: Box) -> Box:
    wanted = [box for box in _wanted(disc, width) if box.is_in(room)]
    for box in wanted:
        if not any(box.meets(other) for other in taken):
            return box
    right = disc.x + disc.radius + _GAP
    inside = min(max(room.x, right), room.x + room.width - width)
    beside = Box(inside, disc.y - svg.LETTER_HEIGHT / 2, width, svg.LETTER_HEIGHT)
    return wanted[0] if wanted else beside


def _wanted(disc: Disc, width: float) -> Iterator[Box]:
    """Yield places for a label, the best first: right of the bubble, left, over, under, further."""
    high = svg.LETTER_HEIGHT + 2
    right, left = disc.x + disc.radius + _GAP, disc.x - disc.radius - _GAP - width
    for row in range(_TRIES):
        for sign in (1, -1) if row else (1,):
            y = disc.y - high / 2 + sign * row * high
            for x in (right, left, disc.x - width / 2):
                yield Box(x, y, width, high)


class LogAxis:
    """An axis on which each step multiplies."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        """Take the values that have to be on it, and where it begins and ends."""
        low, high = min(values), max(values)
        if high / low < _LEAST_SPAN:  # nearly alike: they stand in the middle of a wider axis
            middle = math.sqrt(low * high)
            low, high = middle / math.sqrt(_LEAST_SPAN), middle * math.sqrt(_LEAST_SPAN)
        self._low, self._high = math.log(low / _MARGIN), math.log(high * _MARGIN)
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        """Return where a value stands."""
        share = (math.log(value) - self._low) / (self._high - self._low)
        return self._begin + share * (self._end - self._begin)

    @property
    def ticks(self) -> list[float]:
        """Round numbers on it: 1, 2, 5, 10, 20 and so on."""
        first = math.floor(self._low / math.log(10))
        last = math.ceil(self._high / math.log(10))
        numbers = (step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5))
        return [one for one in numbers if self._low <= math.log(one) <= self._high]


_LEAST_SPAN, _MARGIN = 4.0, 1.25
