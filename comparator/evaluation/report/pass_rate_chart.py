"""Pass rates with their intervals, a row a slot, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from comparator.evaluation.report import svg
from comparator.evaluation.report.words import rate_in_words
from comparator.storage.kept_suite import Record

_ROW = 30.0
_LEFT, _RIGHT, _TOP = 250.0, 28.0, 12.0
_BAR = 10.0


def pass_rate_svg(summary: Sequence[Record], labels: Sequence[str]) -> str:
    """Return the chart; empty where nothing could be told of any slot.

    Args:
        summary: a line for each slot, as ``summary_of`` makes them.
        labels: what the slots are called.
    """
    lines = [line for line in summary if line.get("pass_rate") is not None and line.get("interval")]
    if not lines:
        return ""
    told = [
        f"{labels[line['slot']]}: {rate_in_words(line['pass_rate'], line['interval'])}."
        for line in lines
    ]
    height = _TOP + _ROW * len(lines) + 34
    description = f"Share of answers that passed, with 95 % intervals. {' '.join(told)}"
    return svg.chart("Pass rates", description, height, _marks(lines, labels, height))


def _marks(lines: Sequence[Record], labels: Sequence[str], height: float) -> Iterator[str]:
    bottom = height - 30
    for percent in range(0, 101, 25):
        x = _x(percent / 100)
        yield svg.line(x, _TOP - 4, x, bottom, opacity=0.25)
        yield svg.text(x, bottom + 16, f"{percent} %", "middle")
    for row, line in enumerate(lines):
        middle = _TOP + _ROW * (row + 0.5)
        yield svg.text(_LEFT - 12, middle + 4, svg.shortened(labels[line["slot"]]), "end")
        yield (
            f'<rect x="{_LEFT:.1f}" y="{middle - _BAR / 2:.1f}" height="{_BAR:g}" '
            f'width="{_x(line["pass_rate"]) - _LEFT:.1f}" opacity="0.35"/>'
        )
        yield from _interval(middle, *line["interval"])
        yield f'<circle cx="{_x(line["pass_rate"]):.1f}" cy="{middle:.1f}" r="4.5"/>'


def _interval(middle: float, low: float, high: float) -> Iterator[str]:
    yield svg.line(_x(low), middle, _x(high), middle, 2)
    for end in (low, high):
        yield svg.line(_x(end), middle - 5, _x(end), middle + 5, 2)


def _x(share: float) -> float:
    return _LEFT + (svg.WIDTH - _LEFT - _RIGHT) * min(1.0, max(0.0, share))
