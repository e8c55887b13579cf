"""Ratings in a terminal: a table with intervals, and what can be told in sentences."""

from __future__ import annotations

from comparator.cli.display.ratings_table import NOTHING, ratings_as_text
from comparator.evaluation.ratings import ratings_of
from comparator.storage.votes import Contender, Tally


def votes(a: str, b: str, winner: str, count: int) -> Tally:
    return Tally(
        (Contender(f"{a}-key-long", a, a), Contender(f"{b}-key-long", b, b)), winner, count
    )


def test_no_votes_say_how_one_votes():
    assert ratings_as_text(ratings_of([])) == NOTHING


def test_every_rating_has_its_interval_and_every_pair_a_sentence():
    text = ratings_as_text(ratings_of([votes("a", "b", "A", 50), votes("b", "c", "A", 1)]))
    head, first, *_others = text.splitlines()
    words = ("rating", "95 % within", "votes", "both bad", "configuration", "name")
    assert [head.index(word) for word in words] == sorted(head.index(word) for word in words)
    assert first.split()[2] == "to"
    assert first.endswith("a-key-lo       a")
    assert "a is better than b (+" in text
    assert "Not enough to tell c from b" in text
    assert "Most worth asking next: " in text


def test_what_is_told_apart_needs_no_further_vote_and_groups_that_nothing_connects_are_said():
    assert "no further vote is needed" in ratings_as_text(ratings_of([votes("a", "b", "A", 99)]))
    text = ratings_as_text(ratings_of([votes("a", "b", "A", 9), votes("c", "d", "A", 9)]))
    assert "no vote connects them" in text
    assert "No vote connects these groups" in text


def test_both_bad_is_told_with_its_interval():
    assert "50 % (19 %–81 %)" in ratings_as_text(
        ratings_of([votes("a", "b", "both_bad", 5), votes("a", "b", "A", 5)])
    )


def test_names_cannot_steer_a_terminal_and_equal_names_are_told_apart():
    text = ratings_as_text(ratings_of([votes("\x1b[2Ja", "b", "A", 5)]))
    assert "\x1b" not in text
    same = Tally((Contender("k1-aaaaaaaa", "m", "m"), Contender("k2-bbbbbbbb", "m", "m")), "A", 9)
    assert "m (k1-aaaaa)" in ratings_as_text(ratings_of([same]))


def test_of_many_pairs_only_neighbours_are_told():
    names = "abcdefgh"
    found = [votes(a, b, "A", 3) for a in names for b in names if a < b]
    text = ratings_as_text(ratings_of(found))
    assert "Only neighbours are told" in text
    assert len(text.splitlines()) < 25


def test_by_model_there_are_no_configurations():
    text = ratings_as_text(ratings_of([votes("a", "b", "A", 5)], "model"))
    assert "configuration" not in text.splitlines()[0]
