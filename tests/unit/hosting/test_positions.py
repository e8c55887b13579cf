"""The order of blind answers: balanced over the votes of each pair, and never foretold."""

from __future__ import annotations

import itertools
import random

import pytest

from comparator.hosting.positions import balanced_order, leads


def _voted(names: list[str], votes: int, seed: int) -> list[list[str]]:
    """Return what stood from left to right in each of so many votes."""
    draw, shown = random.Random(seed), []
    for _ in range(votes):
        shown.append([names[place] for place in balanced_order(names, shown, draw)])
    return shown


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]])
def test_each_of_a_pair_stands_on_the_left_equally_often(names: list[str]) -> None:
    for seed in range(20):
        lead = leads(_voted(names, 200, seed))
        worst = max(abs(lead[pair]) for pair in itertools.combinations(names, 2))
        # A fair coin is off by 14 of 200 usually, and by 28 once in twenty times.
        assert worst <= 14, (seed, worst)


def test_what_stood_on_one_side_only_comes_to_the_other_soon() -> None:
    shown = [["a", "b"]] * 10
    orders = [balanced_order(["a", "b"], shown, random.Random(seed)) for seed in range(200)]
    assert sum(order == [1, 0] for order in orders) > 180


def test_who_remembers_the_last_vote_does_not_know_the_next_order() -> None:
    orders = [balanced_order(["a", "b"], [["a", "b"]], random.Random(seed)) for seed in range(300)]
    assert 60 < sum(order == [0, 1] for order in orders) < 140, "one of three, by the biased coin"


def test_votes_on_other_pairs_and_the_same_twice_count_for_nothing() -> None:
    shown = [["a", "c"], ["c", "d"]] * 50
    firsts = [balanced_order(["a", "b"], shown, random.Random(seed))[0] for seed in range(300)]
    assert 100 < sum(firsts) < 200
    twice = [balanced_order(["a", "a"], [["a", "a"]] * 50, random.Random(s))[0] for s in range(300)]
    assert 100 < sum(twice) < 200


def test_a_long_history_of_one_order_overflows_nothing() -> None:
    assert balanced_order(["a", "b"], [["a", "b"]] * 5000, random.Random(1)) == [1, 0]
