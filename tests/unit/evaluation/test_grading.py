"""When answers are graded: at once what takes no time, later what does."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.evaluation import grading
from comparator.evaluation.grading import Grading
from comparator.storage.kept_suite import Assertion, Cell, Item


def item(*types: str) -> Item:
    asserted = [Assertion(one, "yes") for one in types]
    return Item("q", [{"role": "user", "content": "Yes?"}], assertions=asserted)


def cell(prompt: int = 0, **more: Any) -> Cell:
    return Cell(0, prompt, 0, **{"state": "done", "record": {"content": "yes"}, **more})


def test_texts_are_graded_at_once() -> None:
    graded = Grading([item("contains", "not-equals")]).at_once(cell())
    assert [one.passed for one in graded.assertions] == [True, False]


@pytest.mark.parametrize("kind", ["python", "similar", "not-python"])
def test_what_starts_a_process_or_loads_a_model_waits(kind: str) -> None:
    grades = Grading([item(kind), item("contains")])
    assert grades.at_once(cell()).assertions == []
    assert grades.is_due(cell())
    assert len(grades.at_once(cell(1)).assertions) == 1


def test_of_a_prompt_that_took_long_the_rest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    grades = Grading([item("contains"), item("contains")])
    clock = iter([0.0, 1.0, 5.0, 5.001])
    monkeypatch.setattr(grading.time, "monotonic", lambda: next(clock))
    assert len(grades.at_once(cell()).assertions) == 1
    assert grades.at_once(cell()).assertions == []
    assert len(grades.at_once(cell(1)).assertions) == 1
    assert len(grades.later(cell()).assertions) == 1


def test_only_answers_with_assertions_are_graded_and_once() -> None:
    grades = Grading([item("contains"), item()])
    graded = grades.at_once(cell())
    assert not grades.is_due(graded)
    assert grades.later(graded) is graded
    assert not grades.is_due(cell(1))
    assert not grades.is_due(cell(state="failed"))
    assert not grades.is_due(cell(state="pending", record=None))


def test_what_grades_is_imported_before_a_model_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = [item("contains"), item("is-json"), item("python")]
    grades = Grading(items)
    told: list[object] = []
    monkeypatch.setattr(grades._ready(), "make_ready", told.append)
    grades.make_ready()
    assert told == [items]


def test_nothing_is_imported_where_nothing_is_graded(monkeypatch: pytest.MonkeyPatch) -> None:
    grades = Grading([item()])
    monkeypatch.setattr(grades, "_ready", lambda: pytest.fail("there is nothing to grade"))
    grades.make_ready()
