"""Differences of words, languages, the machine's lines, and what became of answers."""

from __future__ import annotations

import msgspec
import pytest
from kept_suites import kept_suite, suite_slot

from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.differences import MOST_WORDS, pieces_of
from comparator.evaluation.report.fairness import fairness_of
from comparator.evaluation.report.fates import differ, fates_of
from comparator.evaluation.report.languages import language_of
from comparator.evaluation.report.machine_facts import machine_lines


def _sides(pieces):
    left = "".join(one.text for one in pieces if one.kind in ("same", "left"))
    right = "".join(one.text for one in pieces if one.kind in ("same", "right"))
    return left, right


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The sky is blue.", "The sky is  grey, blue."),
        ("北京是中国的首都。", "中国的首都是北京。"),
        ("a b c", "a b c d"),
        ("Python是一种语言", "Python 是语言\n\n"),
    ],
)
def test_differences_put_together_are_both_answers(left, right):
    pieces = pieces_of(left, right)
    assert _sides(pieces) == (left, right)
    assert {one.kind for one in pieces} & {"left", "right"}


def test_differing_words_are_found_and_what_is_long_and_alike_is_left_out():
    alike = " ".join(f"w{n}" for n in range(200))
    pieces = pieces_of(f"{alike} red.", f"{alike} green.")
    assert [one.text for one in pieces if one.kind == "left"] == ["red"]
    assert [one.text for one in pieces if one.kind == "right"] == ["green"]
    assert "gap" in {one.kind for one in pieces}
    assert sum(len(one.text) for one in pieces) < 200


def test_answers_with_nothing_in_common_or_too_long_are_not_compared():
    assert pieces_of("alpha beta gamma", "eins zwei") is None
    assert pieces_of("x " * (MOST_WORDS + 1), "x") is None
    assert pieces_of("the " * 2000, "the " * 2000 + "end") is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is 2 + 2?", ""),
        ("中国的首都是哪里？", "zh"),
        ("日本の首都はどこですか", "ja"),
        ("Say 你好 to everybody who is in this room today", ""),
        ("Столица России?", "ru"),
        ("😀 123", ""),
    ],
)
def test_a_language_is_told_by_its_letters(text, language):
    assert language_of(text) == language


def test_the_machine_is_told_without_names_and_places():
    machine = {
        "system": {"platform": "Linux", "hostname": "secret", "is_space": False},
        "ram_bytes": 8_000_000_000,
        "devices": [{"name": "H100", "total_bytes": 80_000_000_000}],
        "features": ["avx2", "fma"],
        "nothing": None,
    }
    assert machine_lines(machine, str) == [
        ("System platform", "Linux"),
        ("System is space", "no"),
        ("Ram", "8.00 GB"),
        ("Devices name", "H100"),
        ("Devices total", "80.00 GB"),
        ("Features", "avx2, fma"),
    ]


def test_slots_differ_where_one_passes_and_another_does_not():
    contents = Contents.of(kept_suite(((True, True, "", None), (False, True, True, None))))
    assert [differ(fates_of(contents, prompt)) for prompt in range(4)] == [
        True, False, False, False,
    ]  # fmt: skip


def test_what_befell_answers_is_counted():
    kept = kept_suite(((True, True), (True, None)), batch=2)
    first = kept.cells[0].record
    stats = {**first["stats"], "finish_reason": "length", "token_count": 512,
             "disturbed": ["decode"]}  # fmt: skip
    engine = {**first["engine"], "fallbacks": ["It was slow."]}
    cells = [
        msgspec.structs.replace(kept.cells[0], record={**first, "stats": stats, "engine": engine}),
        *kept.cells[1:],
    ]
    contents = Contents.of(msgspec.structs.replace(kept, cells=cells))
    assert contents.disturbed.startswith("Other programs took processor time from 1 of 3 answers")
    assert Contents.of(kept).disturbed == ""
    found = fairness_of(contents)
    assert found.happened == {
        "at_once": ["2 at once", "2 at once"],
        "cut_tokens": ["1 of 2", "0 of 2"],
        "disturbed": ["1 of 2", "0 of 2"],
        "fallbacks": ["1 of 2", "0 of 2"],
    }
    assert list(found.remarks) == ["A · model-0: It was slow."]


def test_fairness_is_told_of_those_that_answered():
    slots = [suite_slot(0), suite_slot(1), suite_slot(2, config={"temperature": 0.1})]
    contents = Contents.of(kept_suite(((True,), (None,), (True,)), slots=slots))
    found = fairness_of(contents)
    assert found.sentence
    (row,) = [one for one in found.differences if one.name == "temperature"]
    assert row.values == ["0.7", "–", "0.1"]
    nobody = fairness_of(Contents.of(kept_suite((("",), ("",)))))
    assert (nobody.sentence, list(nobody.differences)) == ("", [])


@pytest.mark.parametrize(
    ("batch", "why"),
    [(1, "this model's own limit"), (4, "what each of several answers at once needs")],
)
def test_a_context_chosen_for_a_batch_is_not_called_a_models_limit(batch, why):
    kept = kept_suite(((True,),), batch=batch)
    record = kept.cells[0].record
    engine = {**record["engine"], "context_length": 256}
    cells = [msgspec.structs.replace(kept.cells[0], record={**record, "engine": engine})]
    found = fairness_of(Contents.of(msgspec.structs.replace(kept, cells=cells)))
    assert f"model-0: n_ctx 2048 became 256 ({why})." in found.changes
