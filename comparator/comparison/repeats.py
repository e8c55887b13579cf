"""Whether what was asked twice alike here was answered alike: the badge of a comparison.

Two columns repeat each other when the same model was asked the same messages with the same
settings and the same seed; of greedy ones the seed plays no part. They may stand side by side in
one comparison, or in two (a rerun). Which model it is is told by its file and size, as a record
has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from comparator.comparison.kept import KeptComparison
from comparator.comparison.partings import Parting, parting
from comparator.core.limits import LETTERS

Record = Mapping[str, Any]
ANSWERED = ("stop", "length")  # how a run ends that said all it was asked for
# What does not change an answer: names of places, and how a run is carried out.
_NO_SETTING_OF_AN_ANSWER = ("low_cpu_mem_usage", "seed")


@dataclass(frozen=True)
class Repeat:
    """Two columns that were asked alike.

    Attributes:
        first: the number of a column, counted from 0.
        second: the same of the one that repeats it; of an earlier comparison where that was given.
        is_greedy: whether the likeliest token was taken each time, so that no seed was used.
        parted: where their answers part; None where they are identical.
        parted_in_thought: whether that is in what was thought before the answer.
    """

    first: int
    second: int
    is_greedy: bool
    parted: Parting | None
    parted_in_thought: bool = False


def repeats_in(kept: KeptComparison) -> list[Repeat]:
    """Return the pairs of columns of one comparison that were asked alike."""
    marks = [_mark_of(record) for record in kept.records]
    return [
        _repeat(kept.records, a, kept.records, b)
        for a, b in combinations(range(len(marks)), 2)
        if marks[a] is not None and marks[a] == marks[b]
    ]


def repeats_between(kept: KeptComparison, earlier: KeptComparison) -> list[Repeat]:
    """Return the columns that repeat one of an earlier comparison, each with its likeliest pair.

    Where several of the earlier ones were asked alike, the one of the same number goes first. A
    column that was taken over from the earlier comparison (``kept.in_columns_of``) repeats nothing.
    """
    return list(_between(kept, earlier))


def _between(kept: KeptComparison, earlier: KeptComparison) -> Iterator[Repeat]:
    marks = [_mark_of(record) for record in earlier.records]
    runs = [_run_of(record) for record in earlier.records]
    for number, record in enumerate(kept.records):
        if _run_of(record) in runs:
            continue
        mark = _mark_of(record)
        alike = [other for other, found in enumerate(marks) if mark is not None and found == mark]
        if alike:
            nearest = number if number in alike else alike[0]
            yield _repeat(kept.records, number, earlier.records, nearest)


def _repeat(first: list[Any], a: int, second: list[Any], b: int) -> Repeat:
    greedy = _is_greedy(first[a].get("config") or {})
    in_thought = parting(thought_of(first[a]), thought_of(second[b]))
    in_answer = parting(first[a].get("content") or "", second[b].get("content") or "")
    return Repeat(a, b, greedy, in_thought or in_answer, in_thought is not None)


def words(repeat: Repeat, earlier: str = "") -> str:
    """Return the badge of a repeat in words.

    Args:
        repeat: the two columns.
        earlier: the id of the earlier comparison; empty where both stand in one.
    """
    what = "Greedy twice here" if repeat.is_greedy else "Same seed twice here"
    other = f"{LETTERS[repeat.second]} of {earlier}" if earlier else LETTERS[repeat.second]
    pair = f"({LETTERS[repeat.first]} and {other})"
    if repeat.parted is None:
        return f"{what}: identical {pair}"
    where = "of the thought " if repeat.parted_in_thought else ""
    return f"{what}: parted at word {repeat.parted.word} {where}{pair}"


def thought_of(record: Record) -> str:
    """Return what a model thought before it answered; empty for nothing."""
    return str((record.get("thinking") or {}).get("text") or "")


def _mark_of(record: Record) -> str | None:
    """Return what is equal for columns that were asked alike; None for one without an answer."""
    stats, config = record.get("stats") or {}, record.get("config") or {}
    if record.get("error") or stats.get("finish_reason") not in ANSWERED:
        return None
    model, prompt = record.get("model") or {}, record.get("prompt") or {}
    seed = None if _is_greedy(config) else config.get("seed")
    asked = {name: config[name] for name in sorted(config) if name not in _NO_SETTING_OF_AN_ANSWER}
    place = model.get("path") or model.get("file") or ""
    parts = (place, model.get("size"), asked, seed, prompt.get("messages"), prompt.get("rendered"))
    return json.dumps(parts, sort_keys=True, default=str)


def _run_of(record: Record) -> tuple[Any, ...]:
    """Return what no two runs have in common: when they began and ended, and what they wrote."""
    stats = record.get("stats") or {}
    return (stats.get("start_time"), stats.get("end_time"), record.get("content"))


def _is_greedy(config: Record) -> bool:
    return config.get("do_sample") is False or config.get("temperature") == 0
