"""The suites that come with the program: their answers are right, and a likely wrong one fails."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from comparator.evaluation.assertions import Grader, check
from comparator.evaluation.suites import BUILTIN, builtin, needles
from comparator.storage.kept_suite import Item, Suite

ANSWERS = json.loads(
    (Path(__file__).parents[2] / "support" / "basic_answers.json").read_text("utf-8")
)
NEEDLES = {needle.id: needle for needle in needles.NEEDLES}
# What is told from text alone, in this process, on every system.
TYPES = {"contains", "contains-json", "icontains", "is-json", "regex", "starts-with"}


def suite(name: str = "basic") -> Suite:
    found = builtin(name)
    assert found is not None
    return found


def answers_of(item: Item) -> dict[str, list[str]]:
    """Return right and wrong answers to a prompt."""
    if item.id not in NEEDLES:
        return ANSWERS[item.id]
    code = NEEDLES[item.id].code
    right = [code, f"The code of the blue locker is {code}.", f"蓝色储物柜的密码是{code}。"]
    wrong = [f"1{code}", code[:3], code[::-1], "The text does not say.", "文中没有提到。"]
    return {"right": right, "wrong": wrong}


def passes(item: Item, answer: str) -> bool:
    with Grader() as grader:
        outcomes = grader.grade(item, {"content": answer})
    assert all(outcome.passed is not None for outcome in outcomes), outcomes
    return all(outcome.passed for outcome in outcomes)


ITEMS = suite().items


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_a_right_answer_passes_and_a_likely_wrong_one_fails(item: Item) -> None:
    known = answers_of(item)
    assert known["right"]
    assert len(known["wrong"]) >= 2
    assert [one for one in known["right"] if not passes(item, one)] == []
    assert [one for one in known["wrong"] if passes(item, one)] == []


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_neither_nothing_nor_the_question_itself_is_an_answer(item: Item) -> None:
    assert not passes(item, "")
    if item.id not in NEEDLES:  # whose answer is in the question
        assert not passes(item, item.question)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_its_assertions_need_neither_a_judge_nor_a_sandbox(item: Item) -> None:
    assert item.assertions
    for assertion in item.assertions:
        check(assertion, item.id)
        assert assertion.type.removeprefix("not-") in TYPES
    if item.expected is not None:
        assert passes(item, item.expected) or item.id.endswith("no-such-prize")


def test_half_of_it_is_english_and_half_chinese_in_every_group() -> None:
    counts = Counter((item.tags[0], item.tags[-1]) for item in ITEMS)
    groups = {group for group, _language in counts}
    assert len(groups) == 9
    assert all(counts[group, "English"] == counts[group, "Chinese"] for group in groups)
    for item in ITEMS:
        is_chinese = bool(re.search(r"[\u4e00-\u9fff]", item.question))
        assert item.tags[-1] == ("Chinese" if is_chinese else "English"), item.id
        assert item.id.startswith("zh-" if is_chinese else "en-")
    assert len({item.id for item in ITEMS}) == len(ITEMS) == 48


def test_the_quick_one_is_a_part_of_the_basic_one_in_both_languages() -> None:
    quick = suite("quick").items
    assert len(quick) == 10
    assert all(item in ITEMS for item in quick)
    assert len({item.tags[0] for item in quick}) == 5
    assert Counter(item.tags[-1] for item in quick) == {"English": 5, "Chinese": 5}


def test_only_names_that_are_there_are_known() -> None:
    assert all(builtin(name) for name in BUILTIN)
    assert builtin("advanced") is None


@pytest.mark.parametrize("needle", needles.NEEDLES, ids=lambda needle: needle.id)
def test_a_needle_stands_once_in_a_text_that_never_repeats(needle: needles.Needle) -> None:
    text = needles.item_of(needle).question
    assert text.count(needle.code) == 1
    around = needles.filler(needle.language, needle.length)
    assert len(set(around)) == len(around)
    assert not re.search(r"\d", "".join(around))
    place = text.index(needle.code) / len(text)
    assert abs(place - needle.depth) < 0.08
    length = sum(len(one.split() if needle.language == "English" else one) for one in around)
    assert needle.length <= length < needle.length + 40


def test_the_page_tells_the_numbers_that_are_so() -> None:
    page = (Path(__file__).parents[3] / "docs" / "built-in-suite.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \| (\d+) \|", page, re.MULTILINE))
    assert rows == {
        group: str(count) for group, count in Counter(item.tags[0] for item in ITEMS).items()
    }
    assert "`basic` has 48 prompts" in page


@pytest.mark.parametrize(
    ("answer", "groups"),
    [
        ("I do not know.", {"made-up things"}),
        ("我不知道。", {"made-up things"}),
        ("I'm sorry, but I can't help with that.", set()),
        ("抱歉，我无法提供帮助。", set()),
        ("Yes, of course! Here is what you asked for:", set()),
        ("好的，当然可以。", set()),
        ("The answer is 42.", set()),
        ("```python\nprint('hello')\n```", set()),
        ("{}", set()),
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", set()),
    ],
)
def test_what_answers_anything_passes_nowhere_else(answer: str, groups: set[str]) -> None:
    assert {item.tags[0] for item in ITEMS if passes(item, answer)} == groups
