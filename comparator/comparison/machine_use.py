"""What a comparison took of the machine: memory over time, speeds side by side, what came back.

Pure: records in, numbers out (seconds and bytes), of a comparison that goes on as of one that was
kept. The samples are those of ``runners.machine.memory_samples``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from comparator.comparison.record_facts import (
    Record,
    count_of,
    list_of,
    name_of,
    number_of,
    span_of,
    text_of,
    value_of,
)

LONGEST_GAP_SECONDS = 2.0  # without any run that the chart shows; a retry may come minutes later
# So much less than before a run counts as not given back: other programs take and give, too.
LEAST_MISSING_BYTES, LEAST_MISSING_SHARE = 128_000_000, 0.25

Points = list[tuple[float, float]]  # a moment of the comparison in seconds, and bytes
# Which figures stand beside each other, each with whether more of it is better.
MEASURES = {
    "load": False,
    "prefill": False,
    "first_token": False,
    "tokens_per_second": True,
    "characters_per_second": True,
    "peak_bytes": False,
    "peak_device_bytes": False,
}


@dataclass(frozen=True)
class Band:
    """One model's memory over time.

    Attributes:
        slot: the number of its column.
        points: moment, and where its memory begins and ends there: on top of that of others which
            ran at once, else on the line.
    """

    slot: int
    points: list[tuple[float, float, float]]


@dataclass(frozen=True)
class Chart:
    """One kind of memory over the comparison, in seconds and bytes.

    Attributes:
        name: of the accelerator; empty for RAM.
        bands: one a model that has run.
        taken: how much less of it was free than when the comparison began; negative for more.
            Empty where nobody told.
        total_bytes: how much there is; None where nobody told.
    """

    name: str
    bands: list[Band]
    taken: Points
    total_bytes: int | None = None

    @property
    def most_bytes(self) -> float:
        """The highest that bands or line reach."""
        tops = (top for band in self.bands for _, _, top in band.points)
        return max([*tops, *(taken for _, taken in self.taken)], default=0)


@dataclass(frozen=True)
class GivenBack:
    """What one model took, and what is free again after its exit; bytes.

    Attributes:
        state: ``as_before``, ``less`` (than was free before it), ``beside`` (others ran at once, so
            that what is free says nothing of it), ``running``, or ``never`` (it took nothing).
        peak_bytes: the most that it took.
        before: what was free before its run.
        after: what was free when its process was gone.
        exit_seconds: from its last word until it was gone.
        devices: the same of accelerators: ``name``, ``before`` and ``after``.
    """

    state: str
    peak_bytes: int = 0
    before: int = 0
    after: int = 0
    exit_seconds: float = 0.0
    devices: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class MachineUse:
    """All that is shown of the machine.

    Attributes:
        names: of the models, in the order of the columns.
        seconds: how long the chart is.
        charts: RAM first, then each accelerator that was used.
        figures: by measure (``MEASURES``) the value of each column; measures without any are left
            out. Times in seconds, sizes in bytes.
        given_back: of each column.
    """

    names: list[str]
    seconds: float
    charts: list[Chart]
    figures: dict[str, list[float | None]]
    given_back: list[GivenBack]

    def to_record(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        for chart, made in zip(told["charts"], self.charts, strict=True):
            chart["most_bytes"] = made.most_bytes
        return told


def of(records: Sequence[Record]) -> MachineUse:
    """Return what a comparison took of the machine, as far as it has come.

    Args:
        records: of its columns, as ``InferenceResult.to_record`` makes them.
    """
    runs = _runs(records)
    ends = [run.seconds[-1] for run in runs if run.seconds]
    return MachineUse(
        names=[name_of(record) for record in records],
        seconds=max(ends, default=0.0),
        charts=list(_charts(records, runs)),
        figures=_figures(records),
        given_back=[_given_back(records, slot) for slot in range(len(records))],
    )


@dataclass(frozen=True)
class _Run:
    """The samples of one column; its moments are those of the comparison."""

    slot: int
    seconds: list[float]
    own: list[float]
    free: list[float]
    devices: list[list[float]]  # by sample, of each accelerator

    def held(self, device: int | None) -> list[float]:
        if device is None:
            return self.own
        return [held[device] if device < len(held) else 0.0 for held in self.devices]


def _runs(records: Sequence[Record]) -> list[_Run]:
    """Return the columns that have samples, put on one line of time without long gaps."""
    found = [run for run in map(_run_of, records, range(len(records))) if run is not None]
    found.sort(key=lambda run: run.seconds[0])
    moved: list[_Run] = []
    covered, shift = 0.0, found[0].seconds[0] if found else 0.0
    for run in found:
        gap = run.seconds[0] - shift - covered
        if gap > LONGEST_GAP_SECONDS:
            shift += gap - LONGEST_GAP_SECONDS
        seconds = [moment - shift for moment in run.seconds]
        covered = max(covered, seconds[-1])
        moved.append(_Run(run.slot, seconds, run.own, run.free, run.devices))
    return sorted(moved, key=lambda run: run.slot)


def _run_of(record: Record, slot: int) -> _Run | None:
    """Return a column's samples in seconds since the epoch; None where they are none or no such."""
    columns = [_numbers(record, name) for name in ("seconds", "own_bytes", "available_bytes")]
    start, samples = (
        number_of(record, "stats", "start_time"),
        value_of(record, "receipt", "samples"),
    )
    seconds, own, free = columns
    is_right = seconds == sorted(seconds) and len(seconds) == len(own) == len(free)
    if start is None or not seconds or not is_right:
        return None
    devices = list_of(samples, "device_bytes") if isinstance(samples, Mapping) else []
    held = [[_or_nothing(one) for one in row] if isinstance(row, list) else [] for row in devices]
    if len(held) != len(seconds):
        held = [[] for _ in seconds]
    return _Run(slot, [start + moment for moment in seconds], own, free, held)


def _numbers(record: Record, name: str) -> list[float]:
    told = list_of(record, "receipt", "samples", name)
    return [_or_nothing(one) for one in told]


def _or_nothing(value: Any) -> float:
    return number_of({"value": value}, "value") or 0.0


def _charts(records: Sequence[Record], runs: Sequence[_Run]) -> Iterator[Chart]:
    if not runs:
        return
    yield Chart("", _bands(runs, None), _taken(runs))
    told = max((list_of(record, "receipt", "devices") for record in records), key=len)
    most = max(len(held) for run in runs for held in run.devices)
    for device in range(max(len(told), most)):
        bands = _bands(runs, device)
        if any(top for band in bands for _, _, top in band.points):
            known = told[device] if device < len(told) else {}
            name = text_of(known, "name") or f"GPU {device}"
            yield Chart(name, bands, [], count_of(known, "total_bytes"))


def _bands(runs: Sequence[_Run], device: int | None) -> list[Band]:
    """Return the models' memory, that of models which ran at once on top of one another."""
    lines = [(run.seconds, run.held(device)) for run in runs]
    bands = []
    for number, run in enumerate(runs):
        begin, end = run.seconds[0], run.seconds[-1]
        below = [line for line in lines[:number] if line[0][0] < end and begin < line[0][-1]]
        moments = {*run.seconds, *(t for line in below for t in line[0] if begin < t < end)}
        points = []
        for moment in sorted(moments):
            low = sum(_at(moment, *line) for line in below)
            points.append((round(moment, 3), low, low + _at(moment, *lines[number])))
        bands.append(Band(run.slot, points))
    return bands


def _at(moment: float, seconds: Sequence[float], values: Sequence[float]) -> float:
    """Return a line's value at a moment: nothing outside of it, and straight between its points."""
    if not seconds[0] <= moment <= seconds[-1]:
        return 0.0
    place = bisect_right(seconds, moment)
    if place == len(seconds):
        return values[-1]
    before, after = seconds[place - 1], seconds[place]
    share = (moment - before) / (after - before) if after > before else 1.0
    return values[place - 1] + share * (values[place] - values[place - 1])


def _taken(runs: Sequence[_Run]) -> Points:
    """Return how much less RAM was free than at the first look."""
    looks = sorted((t, free) for run in runs for t, free in zip(run.seconds, run.free, strict=True))
    return [(round(moment, 3), looks[0][1] - free) for moment, free in looks]


def _figures(records: Sequence[Record]) -> dict[str, list[float | None]]:
    columns = [_figures_of(record) for record in records]
    table = {name: [column.get(name) for column in columns] for name in MEASURES}
    return {name: values for name, values in table.items() if any(values)}


def _figures_of(record: Record) -> dict[str, float | None]:
    load, first = (
        number_of(record, "stats", name) for name in ("load_seconds", "time_to_first_token")
    )
    return {
        "load": load,
        "prefill": None if load is None or first is None else max(0.0, first - load),
        "first_token": first,
        "tokens_per_second": number_of(record, "stats", "tokens_per_second") or None,
        "characters_per_second": number_of(record, "stats", "characters_per_second") or None,
        "peak_bytes": number_of(record, "stats", "memory_usage") or None,
        "peak_device_bytes": number_of(record, "stats", "device_memory_usage") or None,
    }


def _given_back(records: Sequence[Record], slot: int) -> GivenBack:
    record = records[slot]
    before, after = (
        count_of(record, "receipt", f"available_{when}") for when in ("before", "after")
    )
    if before is None or after is None:
        return GivenBack("never" if value_of(record, "is_complete") else "running")
    peak = count_of(record, "receipt", "peak_bytes") or 0
    missing = before - after
    state = "as_before"
    if _ran_beside(records, slot):
        state = "beside"
    elif missing > max(LEAST_MISSING_BYTES, LEAST_MISSING_SHARE * peak):
        state = "less"
    seconds = number_of(record, "receipt", "exit_seconds") or 0.0
    return GivenBack(state, peak, before, after, seconds, tuple(_devices_back(record)))


def _devices_back(record: Record) -> Iterator[dict[str, Any]]:
    if not count_of(record, "receipt", "peak_device_bytes"):
        return
    for device in list_of(record, "receipt", "devices"):
        before, after = (count_of(device, f"free_{when}") for when in ("before", "after"))
        yield {"name": text_of(device, "name"), "before": before, "after": after}


def _ran_beside(records: Sequence[Record], slot: int) -> bool:
    span = span_of(records[slot])
    others = [span_of(other) for number, other in enumerate(records) if number != slot]
    return span is not None and any(
        other is not None and other[0] < span[1] and span[0] < other[1] for other in others
    )
