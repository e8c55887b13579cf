"""The badge: what was asked twice alike here, and whether it was answered alike."""

from __future__ import annotations

import pytest
from kept_comparisons import kept_of, result, thought

from comparator.comparison.exports.sheet import badges
from comparator.comparison.kept import in_columns_of
from comparator.comparison.partings import parting
from comparator.comparison.repeats import repeats_between, repeats_in


def later(one):
    """Return a result of a minute later."""
    one.stats.start_time += 60
    one.stats.end_time += 60
    return one


def test_one_model_twice_with_one_seed_is_identical_or_parts_at_a_word():
    same = kept_of(result("one two"), result("one two"))
    assert badges(same) == ["Same seed twice here: identical (A and B)"]
    parted = kept_of(result("one two"), result("one three"))
    assert badges(parted) == ["Same seed twice here: parted at word 2 (A and B)"]
    thinking = kept_of(result("x", thinking=thought("a b")), result("x", thinking=thought("a c")))
    assert badges(thinking) == ["Same seed twice here: parted at word 2 of the thought (A and B)"]


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 8},
        {"path": "/elsewhere.gguf"},
        {"question": "How?"},
        {"config": {"temperature": 0.5}},
        {"error": "It broke.", "error_kind": "inference"},
        {"finish_reason": "cancelled"},
    ],
)
def test_what_differs_is_no_repeat(other):
    assert repeats_in(kept_of(result(), result(**other))) == []


def test_of_greedy_ones_the_seed_plays_no_part_and_is_not_named():
    greedy = {"config": {"do_sample": False}}
    kept = kept_of(result(seed=1, **greedy), result(seed=2, **greedy))
    assert badges(kept) == ["Greedy twice here: identical (A and B)"]


def test_a_rerun_is_held_against_what_it_repeats():
    earlier = kept_of(result("one"), result("two", path="/b.gguf"), id="e" * 12)
    rerun = kept_of(later(result("one")), later(result("other", path="/b.gguf")))
    same = [one.parted is None for one in repeats_between(rerun, earlier)]
    assert same == [True, False]
    assert badges(rerun, [earlier]) == [
        "Same seed twice here: identical (A and A of eeeeeeeeeeee)",
        "Same seed twice here: parted at word 1 (B and B of eeeeeeeeeeee)",
    ]


def test_a_column_that_was_taken_over_is_no_repeat_of_itself():
    earlier = kept_of(result("one"), result("two", path="/b.gguf"), id="e" * 12)
    anew = kept_of(later(result("two", path="/b.gguf")))
    again = in_columns_of(earlier, anew, [1])
    assert badges(again, [earlier]) == [
        "Same seed twice here: identical (B and B of eeeeeeeeeeee)",
    ]


@pytest.mark.parametrize(
    ("first", "second", "word", "offset", "rest"),
    [
        ("one two three", "one twin three", 2, 6, ("two three", "twin three")),
        ("one", "one two", 2, 3, ("", " two")),
        ("one", "ones", 1, 3, ("one", "ones")),
        ("one ", "one two", 2, 4, ("", "two")),
        ("", "x", 1, 0, ("", "x")),
        ("a\nb", "a\nc", 2, 2, ("b", "c")),
    ],
)
def test_a_parting_names_the_first_word_that_differs(first, second, word, offset, rest):
    found = parting(first, second)
    assert found is not None
    assert (found.word, found.offset, (found.first, found.second)) == (word, offset, rest)


def test_equal_texts_do_not_part():
    assert parting("same", "same") is None
