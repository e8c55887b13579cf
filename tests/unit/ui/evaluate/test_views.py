"""What the browser is sent of suites."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import pytest
from kept_suites import item, judged, kept_suite

from comparator.evaluation.suite_progress import SuiteProgress, SuiteStage
from comparator.storage.kept_suite import Assertion, AssertionOutcome, Cell, KeptSuite
from comparator.ui.evaluate import views
from comparator.ui.evaluate.results import result_of
from comparator.ui.language import texts


def test_a_line_has_a_sign_for_each_answer_and_tells_whether_they_differ() -> None:
    kept = kept_suite(((True, False, None, ""), (True, True, None, True)))
    lines = views.Matrix().lines(kept)
    assert lines == ["=pp", "dmp", "=xx", "=.p"]


def test_without_assertions_answers_differ_by_their_texts() -> None:
    items = [item(0, assertions=[]), item(1, assertions=[])]
    kept = kept_suite(((True, True), (True, False)), items=items)
    assert views.Matrix().lines(kept) == ["=aa", "daa"]


def test_repeats_stand_beside_each_other_and_their_order_is_no_difference() -> None:
    kept = kept_suite((([True, False],), ([False, True],)), repeats=2)
    assert views.Matrix().lines(kept) == ["=pmmp"]


def test_only_lines_with_news_are_made_anew() -> None:
    kept = kept_suite((("", "", True),))
    matrix = views.Matrix()
    first = matrix.lines(kept)
    assert matrix.lines(kept) is first
    cells = [Cell(0, 0, 0, "failed", 1, {"error": "It broke."}), *kept.cells[1:]]
    second = matrix.lines(msgspec.structs.replace(kept, cells=cells))
    assert (second, first) == (["=x", "=.", "=p"], ["=.", "=.", "=p"])
    assert second[2] is first[2]


def test_what_goes_on_is_a_name_for_which_the_page_has_words_in_each_language() -> None:
    def stage(*told: Any) -> Any:
        live: Any = SimpleNamespace(
            is_over=False,
            is_stopping=False,
            position=0,
            trouble="",
            progress=lambda: SuiteProgress(*told),
        )
        return views.of_live(kept_suite(), views.Matrix(), live)["stage"]

    loading = {"name": "loading", "of": "model-0", "percent": None}
    assert stage(0, 0, 4, 0, None, "loading") == loading
    judging = {"name": "judging", "of": "", "percent": 40}
    assert stage(4, 0, 4, None, None, "judging", 40) == judging
    assert stage(4, 0, 4) is None
    wanted = {f"evaluate.stage_{name}" for name in get_args(SuiteStage) if name}
    assert all(wanted <= known.keys() for known in texts().values())


def test_an_answer_is_shown_whole_with_what_its_assertions_asked() -> None:
    told = [Assertion("contains", "apple"), Assertion("is-json", {"type": "object"})]
    kept = kept_suite(((True,),), items=[item(0, "A\x1b[2J?", assertions=told)])
    outcomes = [
        AssertionOutcome("contains", True, "There."),
        AssertionOutcome("is-json", None, "Not told."),
    ]
    cell = msgspec.structs.replace(kept.cells[0], assertions=outcomes)
    view = views.of_cell(kept, cell)
    assert [one["words"] for one in view["assertions"]] == [
        "contains apple",
        'is-json {"type": "object"}',
    ]
    assert [one["passed"] for one in view["assertions"]] == [True, None]
    assert view["messages"] == [["user", "A\\x1b[2J?"]]
    assert view["sign"] == "p"
    json.dumps(view)


def test_a_prompt_alone_tells_no_answer() -> None:
    kept = kept_suite(((True,), (False,)))
    view = views.of_prompt(kept, 0)
    assert (view["slot"], view["asserted"]) == (-1, ["icontains yes"])
    assert "content" not in view
    assert "Yes, it is" not in json.dumps(view)


@pytest.mark.parametrize(
    ("fates", "is_empty"),
    [(((True, False), (True, True)), False), (((None,),), True), ((("",),), True)],
)
def test_what_came_of_it_is_ready_for_the_browser(fates: Any, is_empty: bool) -> None:
    kept: KeptSuite = kept_suite(fates)
    view = result_of(kept)
    assert view["trouble"] == ""
    assert (view["summary"] == []) is is_empty
    text = json.dumps(view)
    if not is_empty:
        assert "<svg" in view["chart"]
        assert "/home/somebody" not in text


def test_a_refused_judge_is_shown_with_the_share_by_which_it_was_refused() -> None:
    kept = judged(kept_suite(((True,), (False,))))
    assert result_of(kept)["judge"]["consistency"] == 0.8
    changes = {"is_refused": True, "sided_consistency": 0.5}
    assert kept.judge is not None
    refused = msgspec.structs.replace(kept, judge={**kept.judge, **changes})
    assert result_of(refused)["judge"] == {"name": "judge", "consistency": 0.5, "is_refused": True}
