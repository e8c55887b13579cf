"""Answers during which others took the processor: asked once more, and in no summary's speed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from kept_suites import kept_suite

from comparator.cli.display.suite_table import as_text
from comparator.evaluation.disturbed_cells import (
    MEASURED_AGAIN,
    MOST_IN_VAIN,
    SecondAsking,
    disturbed_sentence,
    is_worth_asking,
)
from comparator.evaluation.statistics import summary_of
from comparator.evaluation.suite_progress import aggregate_tokens_per_second
from comparator.storage.kept_suite import Cell, KeptSuite


def cell(*disturbed: str, batch: int = 1, state: str = "done", **stats: Any) -> Cell:
    record = {"notice": "", "stats": {"disturbed": list(disturbed), **stats}}
    return Cell(0, 0, 0, state, batch, record)  # type: ignore[arg-type]


def with_first_disturbed(kept: KeptSuite) -> KeptSuite:
    first = kept.cells[0]
    assert first.record is not None
    stats = {**first.record["stats"], "tokens_per_second": 0.5, "disturbed": ["decode"]}
    changed = msgspec.structs.replace(first, record={**first.record, "stats": stats})
    return msgspec.structs.replace(kept, cells=[changed, *kept.cells[1:]])


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (cell("decode"), True),
        (cell("prefill", "load"), False),  # its speed is its own
        (cell("decode", batch=2), False),  # it has none of its own
        (cell("decode", state="failed"), False),
        (Cell(0, 0, 0), False),
    ],
)
def test_what_was_written_alone_and_disturbed_is_asked_again(one: Cell, expected: bool) -> None:
    assert is_worth_asking(one) is expected


def test_only_what_is_undisturbed_the_second_time_is_kept_and_says_so() -> None:
    kept: list[Cell] = []
    second = SecondAsking(kept.append)
    for one in (cell("decode"), cell(state="failed"), cell("load")):
        second.take(one)
    assert [one.record["notice"] for one in kept] == [MEASURED_AGAIN]  # type: ignore[index]


def test_where_others_never_rest_it_is_soon_given_up() -> None:
    second = SecondAsking(lambda _cell: None)
    for _ in range(MOST_IN_VAIN - 1):
        second.take(cell("decode"))
    second.take(cell())
    assert not second.is_in_vain
    for _ in range(MOST_IN_VAIN):
        assert not second.is_in_vain
        second.take(cell("decode"))
    assert second.is_in_vain


def test_speeds_of_a_summary_are_those_of_undisturbed_answers() -> None:
    kept = kept_suite(((True, True, True),))
    whole, (line,) = summary_of(kept)[0], summary_of(with_first_disturbed(kept))
    assert whole["disturbed"] == 0
    assert line["disturbed"] == 1
    assert line["tokens_per_second_range"][0] > 0.5
    assert line["answered"] == whole["answered"] == 3


def test_what_is_left_out_is_said_where_the_summary_stands() -> None:
    kept = kept_suite(((True, True, True),))
    assert disturbed_sentence(kept.cells) == ""
    said = disturbed_sentence(with_first_disturbed(kept).cells)
    assert said.startswith("Other programs took processor time from 1 of 3 answers: ")
    assert said in as_text(with_first_disturbed(kept))


def test_what_was_written_beside_a_disturbed_answer_is_left_out_with_it() -> None:
    times = [(0.0, 2.0, ()), (1.0, 3.0, ("decode",)), (4.0, 6.0, ())]
    cells = [cell(*how, start_time=b + 1, end_time=e + 1, token_count=8) for b, e, how in times]
    assert aggregate_tokens_per_second(cells) == 4.0
    assert aggregate_tokens_per_second(cells[1:2]) is None
