"""What a run of the suite has measured: every single value, and what is said of them."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

SCHEMA = 1


class Measure(NamedTuple):
    """What a number means: its name in tables, its unit, and the decimals shown."""

    title: str
    unit: str
    decimals: int


MEASURES = {
    "load": Measure("load", "s", 2),
    "first_token": Measure("first token", "s", 2),
    "first_token_cold": Measure("first token, files not cached", "s", 2),
    "first_text": Measure("first text at the client, from its question", "s", 2),
    "decode": Measure("decode", "tok/s", 1),
    "prefill": Measure("prefill", "tok/s", 0),
    "decode_of_all": Measure("tokens of all answers while all are being written", "tok/s", 1),
    "speed_of_all": Measure("the same with the reading of prompts and the ends", "tok/s", 1),
    "bandwidth": Measure("bytes of weights read", "GB/s", 1),
    "limit_share": Measure("share of the memory's bandwidth", "", 2),
    "tokens": Measure("tokens written", "tokens", 0),
    "cached_share": Measure("share of the files cached before a cold start", "", 2),
    "wall": Measure("whole comparison", "s", 2),
    "page_cpu": Measure("CPU of the page", "of a core", 3),
    "peak_private": Measure("peak private memory", "MB", 0),
    "peak_proportional": Measure("peak memory, shared pages divided", "MB", 0),
    "peak_device": Measure("peak device memory", "MB", 0),
    "held_parent": Measure("held by the parent a second after, more than before", "MB", 1),
    "held_parent_in_all": Measure("held by the parent since its start", "MB", 1),
    "held_children": Measure("held a second after by children that are left", "MB", 1),
    "held_servers": Measure("held a second after by fork servers, more than before", "MB", 1),
    "held_idle": Measure("held by an idle page", "MB", 0),
    "delay_median": Measure("delay from engine to client, median", "ms", 0),
    "delay_p95": Measure("delay from engine to client, 95th percentile", "ms", 0),
    "tokens_arrived": Measure("share of the tokens that arrived", "", 3),
    "update_bytes_growth": Measure("bytes of an update, last quarter to first", "", 2),
    "update_cpu_growth": Measure("CPU of the page, last quarter to first", "", 2),
    "updates": Measure("updates", "a second", 1),
    "duration": Measure("time", "s", 3),
    "answer": Measure("length of the answer", "characters", 0),
}


@dataclass
class Series:
    """One measure of one contender, round after round.

    Attributes:
        scenario: the part of the suite.
        measure: a key of MEASURES.
        contender: who was measured.
        model: what it ran, empty where that does not matter.
        values: one a round, in the measure's unit; warm-up rounds are not among them.
    """

    scenario: str
    measure: str
    contender: str
    model: str = ""
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    def to_record(self) -> dict[str, Any]:
        """Return the series for JSON, with its unit, median and spread."""
        return {
            **asdict(self),
            "unit": MEASURES[self.measure].unit,
            "median": self.median,
            "least": min(self.values),
            "most": max(self.values),
        }


class Record:
    """All series of a run, and the peers that were missing with the reason."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str, str, str], Series] = {}
        self.missing: dict[str, str] = {}
        self.notes: list[str] = []
        self.thrown_away: dict[str, int] = {}  # by what was measured

    def add(
        self, scenario: str, measure: str, contender: str, value: float, model: str = ""
    ) -> None:
        """Add one value of one round.

        Raises:
            KeyError: the measure has no entry in MEASURES.
        """
        MEASURES[measure]
        key = (scenario, measure, contender, model)
        self.series.setdefault(key, Series(*key)).values.append(float(value))

    def keep(self, other: Record) -> None:
        """Take in every value, missing peer and note of a part that was measured apart."""
        for series in other.series.values():
            for value in series.values:
                self.add(series.scenario, series.measure, series.contender, value, series.model)
        for contender, reason in other.missing.items():
            self.miss(contender, reason)
        for sentence in other.notes:
            self.note(sentence)

    def throw_away(self, what: str) -> None:
        """Count a round whose figures are not kept, since something else had the processor."""
        self.thrown_away[what] = self.thrown_away.get(what, 0) + 1

    def miss(self, contender: str, reason: str) -> None:
        """Note that a peer could not be measured; the first reason stays."""
        self.missing.setdefault(contender, reason)

    def note(self, sentence: str) -> None:
        """Note what a reader of the figures must know, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def to_records(self) -> list[dict[str, Any]]:
        """Return every series for JSON."""
        return [series.to_record() for series in self.series.values()]


def ratio(ours: Series, theirs: Series) -> tuple[float, float, float] | None:
    """Return median, least and most of ours to theirs, round by round.

    None where a series is empty or a round of the peer is zero. Rounds are paired because what
    disturbs a machine disturbs both contenders of one round.
    """
    pairs = list(zip(ours.values, theirs.values, strict=False))
    if not pairs or any(other == 0 for _, other in pairs):
        return None
    ratios = [own / other for own, other in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that at least this share (0 to 1) of them do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("There is no percentile of nothing.")
    ordered = sorted(values)
    position = max(0, -(-int(share * 1_000_000) * len(ordered) // 1_000_000) - 1)
    return ordered[min(position, len(ordered) - 1)]
