"""Votes are kept: one of each owner for a comparison, by several programs, and never in silence."""

from __future__ import annotations

import sqlite3
import stat
import time

import msgspec
import pytest

from comparator.storage import votes as module
from comparator.storage.retention import Retention
from comparator.storage.votes import Contender, Tally, Vote, Votes

KEPT = Retention()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "votes.sqlite3"


@pytest.fixture
def store(place):
    kept = Votes(place, KEPT)
    yield kept
    kept.close()


def a_vote(name="1", **changes) -> Vote:
    usual = {
        "id": name,
        "created": 1_795_000_000.0,
        "comparison": "c1",
        "configurations": ["x", "y"],
        "names": ["first", "second"],
        "models": ["mx", "my"],
        "winner": "A",
        "positions": [1, 0],
        "is_blind": True,
    }
    return Vote(**{**usual, **changes})


def test_a_vote_is_there_in_the_next_program_whole(store, place):
    assert store.add(a_vote())
    other = Votes(place, KEPT)
    assert other.all() == [a_vote()]
    assert other.of("c1") == a_vote()
    assert other.count() == 1
    other.close()


def test_a_second_vote_on_a_comparison_takes_the_place_of_the_first(store):
    store.add(a_vote())
    assert store.add(a_vote("2", winner="tie"))
    assert [vote.winner for vote in store.all()] == ["tie"]
    store.add(a_vote("3", comparison="c2"))
    assert store.count() == 2


def test_owners_do_not_see_each_other(store):
    store.add(a_vote())
    store.add(a_vote("2", owner="visitor", winner="B"))
    assert [vote.winner for vote in store.all()] == ["A"]
    assert [vote.winner for vote in store.all("visitor")] == ["B"]
    assert store.of("c1", "somebody else") is None
    assert not store.remove("1", "visitor")
    assert store.remove("1")
    assert not store.remove("1")
    assert store.count("visitor") == 1


def test_votes_on_nothing_of_the_history_stand_beside_each_other(store):
    store.add(a_vote(comparison=""))
    store.add(a_vote("2", comparison=""))
    assert store.count() == 2


def test_votes_from_elsewhere_are_counted_once_by_their_ids(store):
    many = [a_vote(str(number), comparison="") for number in range(30)]
    assert store.add_many(many) == 30
    assert store.add_many([*many, a_vote("new", comparison="")]) == 1
    assert store.add_many([]) == 0
    assert store.count() == 31


def test_equal_votes_are_counted_together(store):
    store.add_many([a_vote(str(number), comparison="") for number in range(5)])
    store.add(a_vote("t", comparison="", winner="tie"))
    contenders = Contender("x", "mx", "first"), Contender("y", "my", "second")
    assert store.tallies() == [Tally(contenders, "A", 5), Tally(contenders, "tie", 1)]
    assert store.tallies("somebody") == []


def test_how_often_the_first_place_won_is_counted_of_two_columns_alone(store):
    said = [("A", [0, 1]), ("B", [1, 0]), ("A", [1, 0]), ("tie", [0, 1]), ("A", [])]
    store.add_many(
        [
            a_vote(str(number), comparison="", winner=winner, positions=positions)
            for number, (winner, positions) in enumerate(said)
        ]
    )
    three = {"configurations": ["x", "y", "z"], "names": ["a", "b", "c"], "models": []}
    store.add(a_vote("three", comparison="", positions=[0, 1, 2], **three))
    assert store.first_places() == (2, 3)
    assert store.first_places("somebody") == (0, 0)


def test_a_vote_without_models_is_of_their_names(store):
    store.add(a_vote(models=[]))
    assert [one.model for one in store.tallies()[0].contenders] == ["first", "second"]


def test_names_that_are_no_text_are_kept_as_far_as_they_are(store):
    store.add(a_vote(names=["a\udcff", "b\0c"]))
    assert [name[0] for name in store.all()[0].names] == ["a", "b"]


def test_visitors_votes_end_after_a_time_and_in_number_and_ones_own_stay(store, monkeypatch):
    monkeypatch.setattr(module, "MOST_OF_A_VISITOR", 3)
    monkeypatch.setattr(module, "MOST_OF_VISITORS", 4)
    store.retention = Retention(days_of_visitors=1.0)
    now = time.time()
    store.add(a_vote("own", created=1.0))
    store.add(a_vote("old", owner="v", comparison="old", created=now - 90_000))
    for number in range(5):
        store.add(a_vote(str(number), owner="v", comparison=str(number), created=now))
    assert [vote.id for vote in store.all("v")] == ["2", "3", "4"]
    for number in range(3):
        store.add(a_vote(f"w{number}", owner="w", comparison=str(number), created=now))
    assert store.count("v") + store.count("w") == 4
    assert store.count("w") == 3
    assert store.count() == 1


def test_the_file_is_for_its_owner_alone(store, place):
    store.add(a_vote())
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_file_of_a_later_version_is_left_alone_and_said(place):
    with sqlite3.connect(place) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    store = Votes(place, KEPT)
    assert not store.add(a_vote())
    assert "later version" in store.trouble
    assert store.add_many([a_vote()]) is None
    assert store.all() == []
    store.close()


def test_a_damaged_vote_is_said_and_costs_no_traceback(store, place):
    store.add(a_vote())
    store.close()
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE votes SET contenders = '1 99'")
    connection.close()
    assert store.all() == []
    assert "damaged" in store.trouble
    assert store.tallies() == []
    assert "damaged" in store.trouble


def test_two_programs_may_vote_at_once(store, place):
    other = Votes(place, KEPT)
    store.add(a_vote())
    other.add(a_vote("2", comparison="c2", names=["first", "third"], configurations=["x", "z"]))
    assert store.count() == other.count() == 2
    assert {name for vote in store.all() for name in vote.names} == {"first", "second", "third"}
    other.close()


def test_a_vote_is_plain_values():
    assert msgspec.json.decode(msgspec.json.encode(a_vote()), type=Vote) == a_vote()
