"""Whether a suite was fair: what differed between its slots, and what befell their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from comparator.comparison.fairness import fair_play, fair_play_words
from comparator.comparison.fairness.fair_play_words import DifferenceRow
from comparator.comparison.record_facts import end_of, texts_of
from comparator.evaluation.report.contents import Contents
from comparator.storage.kept_suite import Cell, Record

# What is of one answer and not of a slot is counted over all of its answers instead.
_OF_ONE_ANSWER = ("ended", "question", "figures", "disturbed", "fallbacks", "files", "beside",
                  "order", "prompt_notes")  # fmt: skip


@dataclass(frozen=True)
class Fairness:
    """What can be said of a suite's fairness.

    Attributes:
        sentence: whether it was fair; empty for a single slot.
        differences: what differed between the slots.
        changes: which settings were not taken as they were asked, a sentence each.
        happened: by the page's key how many answers of each slot it befell.
        remarks: what was off in answers, a sentence each.
    """

    sentence: str
    differences: Sequence[DifferenceRow]
    changes: Sequence[str]
    happened: dict[str, list[str]]
    remarks: Sequence[str]


def fairness_of(contents: Contents) -> Fairness:
    """Return what can be said of a suite's fairness; of slots that answered nothing, nothing."""
    by_slot = _one_of_each(contents)
    found = fair_play.of(list(by_slot.values()))
    kept = [one for one in found.differences if one.name not in _OF_ONE_ANSWER]
    columns = [
        _with_room(column) if max(contents.batches(slot)) > 1 else column
        for slot, column in zip(by_slot, found.columns, strict=True)
    ]
    found = dataclasses.replace(found, differences=kept, columns=columns)
    several = len(by_slot) > 1
    return Fairness(
        fair_play_words.verdict(found) if several else "",
        [_whole(contents, by_slot, row) for row in fair_play_words.rows(found)],
        [contents.without_paths(change) for change in fair_play_words.changes(found)],
        _happened(contents),
        [contents.without_paths(remark) for remark in _remarks(contents)],
    )


def _with_room(column: fair_play.GivenColumn) -> fair_play.GivenColumn:
    """Return what a slot was given that wrote several at once: its context is of one of them.

    Also where the answer that is looked at was the last one, and so alone.
    """
    settings = [
        dataclasses.replace(one, why="batch_room") if one.why == "own_limit" else one
        for one in column.settings
    ]
    return dataclasses.replace(column, settings=settings)


def _whole(contents: Contents, by_slot: Mapping[int, Record], row: DifferenceRow) -> DifferenceRow:
    """Return a row with a value for every slot."""
    told = dict(zip(by_slot, map(contents.without_paths, row.values), strict=True))
    values = [told.get(slot, fair_play_words.NOTHING) for slot in contents.slots]
    return DifferenceRow(row.name, values, row.verdict)


def _one_of_each(contents: Contents) -> dict[int, Record]:
    """Return a record of each slot that answered, of one prompt where all of them answered it."""
    answered: dict[int, dict[int, Record]] = {}
    for cell in contents.kept.cells:
        if cell.state == "done" and cell.record and cell.repeat == 0:
            answered.setdefault(cell.slot, {})[cell.prompt] = cell.record
    common = set.intersection(*map(set, answered.values())) if answered else set()
    place = min(common, default=None)
    return {
        slot: records[min(records) if place is None else place]
        for slot, records in sorted(answered.items())
    }


def _is_disturbed(record: Record) -> bool:
    return bool(texts_of(record, "stats", "disturbed"))


def _is_off(record: Record) -> bool:
    return bool(texts_of(record, "engine", "fallbacks"))


_HAPPENINGS: dict[str, Callable[[Record], bool]] = {
    "cut_tokens": lambda record: end_of(record) == "cut_tokens",
    "cut_context": lambda record: end_of(record) == "cut_context",
    "disturbed": _is_disturbed,
    "fallbacks": _is_off,
}


def _happened(contents: Contents) -> dict[str, list[str]]:
    table = {"at_once": [contents.batch_in_words(slot) for slot in contents.slots]}
    records = [_records(contents.of_slot(slot)) for slot in contents.slots]
    for key, happened in _HAPPENINGS.items():
        counts = [sum(map(happened, of_slot)) for of_slot in records]
        if any(counts):
            table[key] = [
                f"{count} of {len(of_slot)}" for count, of_slot in zip(counts, records, strict=True)
            ]
    return table


def _records(cells: Iterable[Cell]) -> list[Record]:
    return [cell.record for cell in cells if cell.record]


def _remarks(contents: Contents) -> list[str]:
    """Return what was off, once for each slot in which it was."""
    found: dict[str, None] = {}
    for slot in contents.slots:
        for record in _records(contents.of_slot(slot)):
            for sentence in texts_of(record, "engine", "fallbacks"):
                found[f"{contents.labels[slot]}: {sentence}"] = None
    return list(found)
