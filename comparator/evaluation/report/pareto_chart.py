"""Quality against speed, with memory as the size of a bubble: which models others outdo in all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from comparator.core.text import name_shown
from comparator.core.units import fine_size, speed
from comparator.evaluation.pareto import Pareto, ParetoPoint
from comparator.evaluation.report import svg
from comparator.evaluation.report.pareto_layout import Box, Disc, LogAxis, places_of_labels
from comparator.evaluation.report.words import NOT_MEASURED, rate_in_words

_HEIGHT = 380.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 20.0, 16.0, 328.0
_SMALLEST, _LARGEST = 5.0, 20.0  # radius of a bubble


_Ticks = list[tuple[float, str]]
_PERCENT = [(share / 4, f"{25 * share} %") for share in range(5)]


@dataclass(frozen=True)
class Bubble:
    """One model in the chart.

    Attributes:
        label: what it is called.
        quality: as a share of the chart's height, 0 to 1.
        low: where its interval begins, the same.
        high: where it ends.
        quality_in_words: with its unit and interval.
        tokens_per_second: its speed.
        size: bytes of memory, or of the disk where that was not measured.
        is_dominated: whether another one is at least as good in all.
    """

    label: str
    quality: float
    low: float
    high: float
    quality_in_words: str
    tokens_per_second: float
    size: float
    is_dominated: bool

    @property
    def in_words(self) -> str:
        """All of it, in a sentence."""
        told = "outdone by another" if self.is_dominated else "not outdone beyond doubt"
        return (
            f"{self.label}: {self.quality_in_words}, {speed(self.tokens_per_second)}, "
            f"{fine_size(self.size, NOT_MEASURED)}, {told}."
        )


def pareto_svg(pareto: Pareto, labels: Sequence[str]) -> str:
    """Return what is worth keeping as a chart; empty where no model has quality and speed.

    Args:
        pareto: of the slots.
        labels: what the slots are called.
    """
    shown = [point for point in pareto.points if point.quality is not None
             and point.tokens_per_second]  # fmt: skip
    scale, ticks = _scale(pareto.quality, shown)
    bubbles = [_bubble_of(point, labels[point.slot], pareto.quality, scale) for point in shown]
    left_out = [labels[point.slot] for point in pareto.points if point not in shown]
    about = [
        "Upwards is quality (" + _QUALITY.get(pareto.quality, pareto.quality) + "), with its 95 % "
        "interval; to the right is speed in tokens a second.",
        f"Not in it, for want of figures: {', '.join(left_out)}." if left_out else "",
    ]
    return charted(bubbles, ticks, " ".join(filter(None, about)))


_QUALITY = {"pass_rate": "the share of answers that passed", "rating": "the rating by votes"}


def _bubble_of(point: ParetoPoint, label: str, quality: str, scale: _Scale) -> Bubble:
    value = point.quality or 0.0
    low, high = point.quality_interval or (value, value)
    if quality == "pass_rate":
        told = f"{rate_in_words(point.quality, point.quality_interval)} passed"
    else:
        told = f"rated {value:.0f} ({low:.0f} to {high:.0f})"
    return Bubble(
        f"{label} (batch)" if point.is_batch else label,
        scale(value),
        scale(low),
        scale(high),
        told,
        point.tokens_per_second or 1.0,
        point.peak_bytes or point.disk_bytes or 0,
        point.is_dominated,
    )


@dataclass(frozen=True)
class _Scale:
    """Puts a quality on the chart's height, 0 to 1."""

    low: float = 0.0
    high: float = 1.0

    def __call__(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def _scale(quality: str, points: Sequence[ParetoPoint]) -> tuple[_Scale, _Ticks]:
    if quality == "pass_rate":
        return _Scale(), _PERCENT
    ends = [end for one in points for end in one.quality_interval or (one.quality or 0.0,)]
    low = _STEP * math.floor(min(ends, default=900) / _STEP)
    high = _STEP * math.ceil(max(ends, default=1100) / _STEP)
    scale = _Scale(low, max(high, low + _STEP))
    step = _STEP * math.ceil((scale.high - scale.low) / _STEP / _MOST_TICKS)
    numbers = range(int(scale.low), int(scale.high) + 1, step)
    return scale, [(scale(number), str(number)) for number in numbers]


_STEP, _MOST_TICKS = 100, 6  # points of a rating between two lines, and how many there are


def charted(bubbles: Sequence[Bubble], ticks: Sequence[tuple[float, str]], about: str) -> str:
    """Return the chart; empty where there is nothing to show.

    Args:
        bubbles: the models.
        ticks: what stands beside the upright axis: a share of its height, and its words.
        about: what quality and speed are here, in sentences.
    """
    if not bubbles:
        return ""
    axis = LogAxis([one.tokens_per_second for one in bubbles], _LEFT, svg.WIDTH - _RIGHT)
    discs = [
        Disc(axis(one.tokens_per_second), _y(one.quality), radius)
        for one, radius in zip(bubbles, _radii(bubbles), strict=True)
    ]
    marks = [*_axes(axis, ticks), *_frontier(discs)]
    for bubble, disc in zip(bubbles, discs, strict=True):
        marks += _bubble(bubble, disc)
    marks += _labels(bubbles, discs)
    description = " ".join([about, *(one.in_words for one in bubbles)])
    return svg.chart("Quality against speed", description, _HEIGHT, marks)


def _y(share: float) -> float:
    return _BOTTOM - min(1.0, max(0.0, share)) * (_BOTTOM - _TOP)


def _radii(bubbles: Sequence[Bubble]) -> list[float]:
    """Return radii that make areas as their sizes."""
    most = max((one.size for one in bubbles), default=0)
    if not most:
        return [_SMALLEST] * len(bubbles)
    return [max(_SMALLEST, _LARGEST * math.sqrt(one.size / most)) for one in bubbles]


def _axes(axis: LogAxis, ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    right = svg.WIDTH - _RIGHT
    for share, words in ticks:
        yield svg.line(_LEFT, _y(share), right, _y(share), opacity=0.2)
        yield svg.text(_LEFT - 8, _y(share) + 4, words, "end")
    for value in axis.ticks:
        x = axis(value)
        yield svg.line(x, _BOTTOM, x, _BOTTOM + 5)
        yield svg.text(x, _BOTTOM + 19, f"{value:g}", "middle")
    yield svg.line(_LEFT, _BOTTOM, right, _BOTTOM)
    yield svg.text(right, _BOTTOM + 40, "tokens a second, logarithmic →", "end")
    yield svg.text(_LEFT, _BOTTOM + 40, "bubble: memory; hollow: outdone by another")


def _frontier(discs: Sequence[Disc]) -> Iterator[str]:
    """Yield the line through the bubbles of which no faster one stands as high."""
    best: list[Disc] = []
    for disc in sorted(discs, key=lambda one: (-one.x, one.y)):
        if not best or disc.y < best[-1].y:
            best.append(disc)
    for one, other in itertools.pairwise(best):
        yield svg.line(one.x, one.y, other.x, other.y, 1.5, 0.4)


def _bubble(bubble: Bubble, disc: Disc) -> Iterator[str]:
    yield f"<g><title>{escape(name_shown(bubble.in_words))}</title>"
    yield svg.line(disc.x, _y(bubble.low), disc.x, _y(bubble.high), 1.5)
    for end in (bubble.low, bubble.high):
        yield svg.line(disc.x - 4, _y(end), disc.x + 4, _y(end), 1.5)
    look = 'fill="none" stroke-dasharray="4 3"' if bubble.is_dominated else 'fill-opacity="0.35"'
    yield (
        f'<circle cx="{disc.x:.1f}" cy="{disc.y:.1f}" r="{disc.radius:.1f}" '
        f'stroke="currentColor" stroke-width="1.5" {look}/></g>'
    )


def _labels(bubbles: Sequence[Bubble], discs: Sequence[Disc]) -> Iterator[str]:
    words = [svg.shortened(one.label) for one in bubbles]
    room = Box(_LEFT, 2, svg.WIDTH - _LEFT - 4, _BOTTOM - 4)
    bars = [
        Box(disc.x - 4, _y(one.high), 8, _y(one.low) - _y(one.high))
        for one, disc in zip(bubbles, discs, strict=True)
    ]
    boxes = places_of_labels(discs, words, bars, room)
    for word, box, disc in zip(words, boxes, discs, strict=True):
        middle = box.y + box.height / 2
        if abs(middle - disc.y) > disc.radius + svg.LETTER_HEIGHT:  # moved away: say whose it is
            near = box.x if box.x > disc.x else min(box.x + box.width, max(box.x, disc.x))
            yield svg.line(disc.x, disc.y, near, middle, 0.75, 0.5)
        is_left = box.x + box.width < disc.x
        x = box.x + box.width if is_left else box.x
        yield svg.text(x, box.y + box.height - 3, word, "end" if is_left else "start")
