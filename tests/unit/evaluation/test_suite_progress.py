"""How long a suite will take, and what several answers at once amount to."""

from __future__ import annotations

import pytest

from comparator.evaluation.suite_progress import (
    CellPace,
    aggregate_tokens_per_second,
    answering_seconds,
)
from comparator.storage.kept_suite import Cell


def cell(begin: float, end: float, tokens: int, state: str = "done") -> Cell:
    stats = {"start_time": begin, "end_time": end, "token_count": tokens}
    return Cell(0, 0, 0, state, 1, {"stats": stats})  # type: ignore[arg-type]


def test_nothing_is_guessed_before_a_cell_has_ended() -> None:
    assert CellPace([1, 1]).seconds_left({0: 5}) is None


def test_the_rest_takes_as_long_as_what_has_ended() -> None:
    pace = CellPace([100, 100])
    pace.note(0, 10.0, 5)
    assert pace.seconds_left({0: 3}) == 6.0
    assert pace.seconds_left({0: 3, 1: 4}) == 14.0
    pace.note(1, 3.0, 1)
    assert pace.seconds_left({1: 3}) == 9.0
    assert pace.seconds_left({}) == 0.0


def test_a_larger_model_is_expected_to_be_slower() -> None:
    pace = CellPace([100, 300, 0, 10**9])
    pace.note(0, 10.0, 5)
    assert pace.seconds_left({1: 2}) == pytest.approx(12.0)
    assert pace.seconds_left({2: 1}) == pytest.approx(0.1)  # and of no size nothing much
    assert pace.seconds_left({3: 1}) == pytest.approx(40.0)


def test_answers_at_once_count_their_time_once() -> None:
    cells = [cell(10, 14, 8), cell(10, 12, 4), cell(11, 15, 8), cell(20, 21, 5)]
    assert answering_seconds(cells) == 6.0
    assert aggregate_tokens_per_second(cells) == pytest.approx(25 / 6)
    assert aggregate_tokens_per_second([cell(1, 2, 3, "failed"), Cell(0, 0, 0)]) is None
