"""Votes through a page: whose they are, what is hidden until then, and what a vote needs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kept_comparisons import kept_of, result

from comparator.comparison.request import Slot
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.asked_before import apart, slots_of
from comparator.hosting.requests import RequestDraft, SlotDraft
from comparator.hosting.vote_ratings import log_of, rated, read_log, told
from comparator.hosting.voting import Voting, left_to_right, letter_of
from comparator.storage.digests import Digests
from comparator.storage.history import History, Retention
from comparator.storage.votes import Votes


class Votings:
    """Makes what votes go through, all with files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = History(folder / "history.sqlite3", Retention())
        self.made: list[Voting] = []

    def __call__(self, history: History | None = None, seed: int = 1) -> Voting:
        votes = Votes(self.folder / "votes.sqlite3", Retention())
        digests = Digests(self.folder / "digests.sqlite3")
        made = Voting(history or self.history, votes, digests, random.Random(seed))
        self.made.append(made)
        return made


@pytest.fixture
def votings(tmp_path: Path) -> Iterator[Votings]:
    made = Votings(tmp_path)
    yield made
    made.history.close()
    for voting in made.made:
        voting.close()


def _kept(name: str = "abcdef012345", **changes: Any) -> Any:
    first = result("One.", name="alpha", path="/gone/alpha.gguf", model_id="a#2")
    second = result("Two.", name="beta", path="/gone/beta.gguf", config={"temperature": 1.5})
    return kept_of(first, second, id=name, **changes)


def test_a_blind_vote_is_kept_with_its_places_and_breaks_the_seal(votings: Votings) -> None:
    voting = votings()
    voting.seal(["abcdef012345", None])
    vote = voting.cast(_kept(), "B", "", voting.is_sealed("abcdef012345"))
    assert (vote.winner, vote.is_blind, vote.positions) == ("B", True, [0, 1])
    assert not voting.is_sealed("abcdef012345")
    assert left_to_right(vote) == vote.configurations
    assert told(vote)["names"] == ["alpha", "beta"]
    assert "owner" not in told(vote)


def test_a_vote_that_is_changed_takes_the_place_of_the_earlier_and_can_be_taken_back(
    votings: Votings,
) -> None:
    voting = votings()
    voting.cast(_kept(), "A", "", True)
    voting.cast(_kept(), "tie", "", False)
    found = voting.vote_of("abcdef012345", "")
    assert found is not None
    assert (letter_of(found), found.is_blind, voting.count("")) == ("tie", False, 1)
    assert voting.take_back("abcdef012345", "")
    assert voting.vote_of("abcdef012345", "") is None
    assert not voting.take_back("abcdef012345", "")


def test_nobody_sees_or_takes_back_anothers_vote(votings: Votings) -> None:
    voting = votings()
    voting.cast(_kept(owner="one"), "A", "one", True)
    assert voting.votes("two") == []
    assert not voting.take_back("abcdef012345", "two")
    assert rated(voting, "two")["ratings"] == []
    assert [row["name"] for row in rated(voting, "one")["ratings"]] == ["alpha", "beta"]


def test_votes_with_known_names_are_kept_apart(votings: Votings) -> None:
    voting = votings()
    voting.cast(_kept(), "A", "", False)
    assert rated(voting, "", of="blind")["ratings"] == []
    assert len(rated(voting, "", of="all")["ratings"]) == 2


def test_of_three_columns_the_letters_stay_those_that_were_shown(votings: Votings) -> None:
    voting = votings()
    broken = result("", error="Broken.", finish_reason="error")
    other = result("Three.", name="gamma", path="/gone/gamma.gguf", config={"top_k": 3})
    kept = kept_of(broken, result("Two."), other)
    with pytest.raises(ConfigurationError, match="Column A failed"):
        voting.cast(kept, "A", "", True)
    vote = voting.cast(kept, "C", "", True)
    assert (vote.winner, letter_of(vote)) == ("B", "C")


def test_without_a_history_no_vote_is_kept_and_that_is_said(votings: Votings) -> None:
    off = History(votings.folder / "off.sqlite3", replace(Retention(), is_on=False))
    voting = votings(off)
    with pytest.raises(ConfigurationError, match="The history is off, so the vote was not kept"):
        voting.cast(_kept(), "A", "", True)
    assert voting.count("") == 0


def test_a_list_tells_letters_in_the_place_of_names_that_are_hidden(votings: Votings) -> None:
    voting, history = votings(), votings.history
    history.add(_kept())
    history.add(_kept("fedcba543210"))
    voting.seal(["abcdef012345"])
    listed = {entry.id: entry.models for entry in voting.listed(history.find())}
    assert listed == {"abcdef012345": ("A", "B"), "fedcba543210": ("alpha", "beta")}
    with pytest.raises(ConfigurationError, match="This comparison is blind"):
        voting.opened(_kept())
    voting.unseal(["abcdef012345"])
    assert voting.opened(_kept()).id == "abcdef012345"
    assert voting.listed(history.find())[0].models == ("alpha", "beta")


def _draft(*settings: dict[str, Any]) -> tuple[RequestDraft, list[Slot]]:
    slots = []
    for name, own in zip("ab", settings, strict=False):
        model = ModelInfo(name, name, f"/gone/{name}.echo.json", ModelType.ECHO, 10)
        slots.append(Slot.of(model, ModelConfig.from_dict(own)))
    drafts = [SlotDraft(slot.model.id, own) for slot, own in zip(slots, settings, strict=True)]
    return RequestDraft("hi", drafts), slots


def test_the_order_of_blind_answers_moves_settings_with_their_model(votings: Votings) -> None:
    draft, slots = _draft({"top_k": 3}, {"top_k": 5})
    orders = {
        tuple((slot.model, slot.settings["top_k"]) for slot in ordered.slots)
        for ordered in (votings(seed=seed).ordered(draft, slots, "") for seed in range(20))
    }
    assert orders == {(("a", 3), ("b", 5)), (("b", 5), ("a", 3))}


def test_what_tells_nothing_is_not_asked_blind(votings: Votings) -> None:
    draft, slots = _draft({})
    with pytest.raises(ConfigurationError, match="two to four models"):
        votings().ordered(draft, slots, "")
    with pytest.raises(ConfigurationError, match="one model with one set of settings"):
        votings().ordered(draft, [*slots, *slots], "")


def test_the_order_follows_what_votes_say_of_these_configurations(votings: Votings) -> None:
    first = result("One.", name="a", path="/gone/a.gguf")
    second = result("Two.", name="b", path="/gone/b.gguf")
    voting = votings()
    for number in range(10):
        voting.cast(kept_of(first, second, id=f"{number:012x}"), "A", "", True)
    slots = []
    for record in (first, second):
        assert record.model is not None
        slots.append(Slot(record.model, ModelConfig(**record.config)))
    draft = RequestDraft("hi", [SlotDraft("a"), SlotDraft("b")])
    leading = [votings(seed=seed).ordered(draft, slots, "").slots[0].model for seed in range(20)]
    assert leading.count("b") > 17, "it stood on the right ten times"


def test_a_pair_comes_back_as_slots_with_what_was_given(votings: Votings) -> None:
    voting, history = votings(), votings.history
    history.add(_kept())
    vote = voting.cast(_kept(), "A", "", True)
    slots = slots_of(history, voting.votes(""), vote.configurations[::-1], "")
    assert [slot.model for slot in slots] == ["m1", "a"]
    assert slots[0].settings["temperature"] == 1.5
    history.remove("abcdef012345")
    with pytest.raises(ConfigurationError, match="beta cannot be put into the form"):
        slots_of(history, voting.votes(""), vote.configurations[1:], "")


def test_configurations_of_one_name_are_told_apart_by_what_differs(votings: Votings) -> None:
    voting, history = votings(), votings.history
    first = result("One.", name="alpha", config={"top_k": 3, "min_p": 0.2})
    second = result("Two.", name="alpha", config={"top_k": 5, "min_p": 0.2})
    kept = kept_of(first, second, result("Three.", name="alpha"))
    history.add(kept)
    vote = voting.cast(kept, "A", "", True)
    words = apart(history, voting.votes(""), vote.configurations, "")
    assert words == ["min_p 0.2, top_k 3", "min_p 0.2, top_k 5", "as by default"]
    assert apart(history, voting.votes(""), ["unknown"], "") == [""]


def test_votes_go_out_as_a_log_and_come_back_once(votings: Votings) -> None:
    voting, history = votings(), votings.history
    history.add(_kept())
    voting.cast(_kept(), "A", "", True)
    log = log_of(voting, history, "")
    assert '"leftvote"' in log
    assert '["assistant", "One."]' in log
    assert read_log(voting, log) == (0, "")
    voting.take_back("abcdef012345", "")
    assert read_log(voting, f"{log}nonsense\n") == (
        1,
        "Left out: 1 line cannot be understood (number 2).",
    )
    assert voting.count("") == 1
