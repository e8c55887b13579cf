"""What is promised of speed and memory, as data, and whether a run kept it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .company import BARE_LOOP, BY_HAND, PAGE, PAGE_BUSY, SERVER, SPAWNED
from .record import MEASURES, Record, Series, ratio
from .scenario_batch import ONE_BY_ONE, TOGETHER
from .scenario_commands import BARE_PAGE, HELP, MODELS, TYPER
from .scenario_commands import PAGE as SERVE


class Target(NamedTuple):
    """One promise.

    Attributes:
        scenario: the part of the suite that measures it.
        measure: a key of MEASURES.
        ours: who must keep it.
        peer: whom it is divided by; empty where the limit is a value in the measure's unit.
        limit: the ratio, or the value.
        at_most: whether it may not be more; otherwise it may not be less.
        engine: with which models, by how their labels begin; empty for a measure without model.
    """

    scenario: str
    measure: str
    ours: str
    peer: str
    limit: float
    at_most: bool
    engine: str = ""


TARGETS = (
    Target("comparison", "wall", PAGE, BY_HAND, 0.95, True),
    Target("comparison", "wall", PAGE, SPAWNED, 0.60, True),
    Target("start", "first_token", PAGE, SPAWNED, 0.12, True, "PyTorch"),
    Target("start", "first_token", PAGE, BY_HAND, 1.15, True, "GGUF"),
    Target("decode", "decode", PAGE, BARE_LOOP, 0.98, False, "GGUF"),
    Target("decode", "decode", PAGE, SERVER, 1.0, False, "GGUF"),
    Target("decode", "prefill", PAGE, BARE_LOOP, 0.95, False, "GGUF"),
    Target("comparison", "decode", PAGE, BY_HAND, 1.4, False, "PyTorch"),
    Target("batch", "decode_of_all", TOGETHER, ONE_BY_ONE, 2.5, False, "GGUF"),
    Target("batch", "decode_of_all", TOGETHER, ONE_BY_ONE, 3.0, False, "PyTorch"),
    Target("memory", "held_children", PAGE, "", 0.0, True),
    Target("memory", "held_parent", PAGE, "", 2.0, True),
    Target("memory", "held_idle", PAGE, "", 160.0, True),
    Target("page", "page_cpu", PAGE, "", 0.20, True),
    Target("page", "delay_p95", PAGE, "", 150.0, True),
    Target("page", "page_cpu", PAGE_BUSY, "", 0.20, True),
    Target("page", "delay_p95", PAGE_BUSY, "", 150.0, True),
    Target("page", "update_bytes_growth", PAGE, "", 1.25, True),
    Target("page", "update_cpu_growth", PAGE, "", 1.25, True),
    Target("commands", "duration", HELP, TYPER, 2.0, True),
    Target("commands", "duration", MODELS, TYPER, 3.0, True),
    Target("commands", "duration", SERVE, BARE_PAGE, 1.5, True),
)


class GpuTarget(NamedTuple):
    """One promise on a GPU, measured by ``benchmarks.gpu``: a ratio, or a value in its unit."""

    limit: float
    at_most: bool

    def is_met(self, value: float) -> bool:
        """Return whether a value keeps it."""
        return value <= self.limit if self.at_most else value >= self.limit

    def in_words(self, unit: str) -> str:
        """Return it in words."""
        return f"at {'most' if self.at_most else 'least'} {self.limit:g} {unit}".strip()


GPU_TARGETS = {
    "PyTorch decode to generate": GpuTarget(1.0, False),
    "PyTorch first token to generate": GpuTarget(1.25, True),
    "load, pinned to not": GpuTarget(1.05, True),
    "GGUF decode to the bare loop": GpuTarget(0.98, False),
    "memory told, apart from outside": GpuTarget(0.15, True),  # as a share
    "memory kept after runs": GpuTarget(64.0, True),  # MB that a driver may keep for itself
    "stop until memory is back": GpuTarget(0.5, True),  # seconds
    "8 PyTorch answers to one by one": GpuTarget(3.0, False),
    "8 GGUF answers to one by one": GpuTarget(2.5, False),
}


class TargetVerdict(NamedTuple):
    """A promise and what a run says of it; ``met`` is None where it was not measured."""

    target: Target
    model: str
    median: float | None
    least: float | None
    most: float | None
    met: bool | None

    def to_record(self) -> dict[str, Any]:
        """Return the verdict for JSON."""
        figures = {key: value for key, value in self._asdict().items() if key != "target"}
        unit = "" if self.target.peer else MEASURES[self.target.measure].unit
        return {**self.target._asdict(), **figures, "unit": unit}


def verdicts(record: Record, scenarios: tuple[str, ...]) -> list[TargetVerdict]:
    """Return what a run of these scenarios says of each promise, one a model."""
    return [
        verdict
        for target in TARGETS
        if target.scenario in scenarios
        for verdict in _verdicts(target, record)
    ]


def _verdicts(target: Target, record: Record) -> list[TargetVerdict]:
    found = [
        series
        for (scenario, measure, contender, model), series in record.series.items()
        if (scenario, measure, contender) == (target.scenario, target.measure, target.ours)
        and model.startswith(target.engine)
    ]
    if not found:
        return [TargetVerdict(target, target.engine, None, None, None, None)]
    return [_verdict(target, series, record) for series in found]


def _verdict(target: Target, series: Series, record: Record) -> TargetVerdict:
    figures: tuple[float, float, float] | None = (
        series.median,
        min(series.values),
        max(series.values),
    )
    if target.peer:
        other = record.series.get((target.scenario, target.measure, target.peer, series.model))
        figures = ratio(series, other) if other else None
    if figures is None:
        return TargetVerdict(target, series.model, None, None, None, None)
    met = figures[0] <= target.limit if target.at_most else figures[0] >= target.limit
    return TargetVerdict(target, series.model, *figures, met)
