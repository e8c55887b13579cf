"""What a vote on the board does, on a host that starts nothing."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from kept_comparisons import kept_of, result

from comparator.core.models import RunState
from comparator.hosting.voting import Voting
from comparator.storage.digests import Digests
from comparator.storage.history import History, Retention
from comparator.storage.votes import Votes
from comparator.ui.compare.blind import Ballot
from comparator.ui.compare.board import Board
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.voting_handlers import ballot_of, make_voting_handlers, settle

VISITOR = SimpleNamespace(session_hash="visitor", cookies={})
FIRST, SECOND = result("One.", name="alpha"), result("Two.", name="beta", config={"top_k": 3})
KEPT = kept_of(FIRST, SECOND)


class Page:
    """A board that a visitor votes on, blind at first."""

    def __init__(self, folder: Path, keeps: bool = True) -> None:
        self.history = History(folder / "history.sqlite3", replace(Retention(), is_on=keeps))
        votes = Votes(folder / "votes.sqlite3", Retention())
        self.voting = Voting(self.history, votes, Digests(folder / "digests.sqlite3"))
        self.voting.seal([KEPT.id])
        self.boards = Boards()
        self.board = Board.reopened(KEPT, Ballot(True, sealed=[KEPT.id]))
        self.boards.keep("visitor", self.board)
        host: Any = self
        self.does = make_voting_handlers(host, "board", self.boards)

    def owner_of(self, _browser: str) -> str:
        return ""

    def told(self, name: str, **carried: Any) -> list[Any]:
        """Return every view that an event leads to."""
        handler = getattr(self.does, name)
        with_event = "event" in inspect.signature(handler).parameters
        arguments = [gr.EventData(None, carried)] if with_event else []

        async def live() -> list[Any]:
            answer = handler(*arguments, VISITOR)
            if inspect.isasyncgen(answer):
                return [updates["board"] async for updates in answer]
            return [(await answer)["board"]]

        return asyncio.run(live())


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    page = Page(tmp_path)
    yield page
    page.voting.close()
    page.history.close()


def test_a_vote_shows_the_names_and_is_kept_as_a_blind_one(page: Page) -> None:
    assert page.board.view["columns"][0]["name"] == "A"
    (view,) = page.told("vote", answer="B")
    assert [column["name"] for column in view["columns"]] == ["alpha", "beta"]
    assert (view["vote"]["answer"], view["vote"]["was_blind"]) == ("B", True)
    vote = page.voting.vote_of(KEPT.id, "")
    assert vote is not None
    assert (vote.winner, vote.is_blind, vote.comparison) == ("B", True, KEPT.id)
    assert not page.voting.is_sealed(KEPT.id)


def test_two_clicks_are_one_vote_and_another_answer_is_one_with_known_names(page: Page) -> None:
    page.told("vote", answer="B")
    assert page.told("vote", answer="B") == []
    vote = page.voting.vote_of(KEPT.id, "")
    assert vote is not None
    assert vote.is_blind
    page.told("vote", answer="both_bad")
    changed = page.voting.vote_of(KEPT.id, "")
    assert changed is not None
    assert (changed.winner, changed.is_blind) == ("both_bad", False)
    assert page.voting.count("") == 1


def test_a_vote_is_not_blind_where_the_names_were_told_elsewhere(page: Page) -> None:
    page.voting.unseal([KEPT.id])  # by another tab, or an endpoint
    (view,) = page.told("vote", answer="B")
    vote = page.voting.vote_of(KEPT.id, "")
    assert vote is not None
    assert (vote.is_blind, view["vote"]["was_blind"]) == (False, False)


def test_a_vote_is_taken_back(page: Page) -> None:
    page.told("vote", answer="A")
    (view,) = page.told("take_back")
    assert view["vote"]["answer"] == ""
    assert page.voting.count("") == 0


def test_the_names_can_be_shown_without_a_vote(page: Page) -> None:
    (view,) = page.told("show_names")
    assert (view["vote"]["skipped"], view["vote"]["blind"]) == (True, False)
    assert not page.voting.is_sealed(KEPT.id)
    assert page.voting.count("") == 0


def test_where_nothing_is_kept_the_names_are_shown_and_the_vote_is_not_kept(tmp_path: Path) -> None:
    page = Page(tmp_path, keeps=False)
    first, last = page.told("vote", answer="A")
    assert first["vote"]["answer"] == "A"
    assert last["vote"]["answer"] == ""
    assert "The history is off" in last["vote"]["trouble"]
    assert last["columns"][0]["name"] == "alpha"


def test_what_is_no_vote_is_a_sentence_and_hides_the_names_still(page: Page) -> None:
    (view,) = page.told("vote", answer="C")
    assert "one of A, B, tie, both_bad" in view["refused"]
    assert page.board.is_blind
    page.boards.drop("visitor")
    (view,) = page.told("vote", answer="A")
    assert "nothing to vote on" in view["refused"]


def test_a_comparison_of_the_history_comes_back_as_blind_as_it_was_left(page: Page) -> None:
    assert ballot_of(page.voting, KEPT, "") == Ballot(True, sealed=[KEPT.id])
    page.told("vote", answer="B")
    assert ballot_of(page.voting, KEPT, "") == Ballot(was_blind=True, answer="B")


def test_where_one_of_two_failed_opening_it_from_the_history_shows_the_names(page: Page) -> None:
    failed = kept_of(FIRST, result("", error="Broken.", state=RunState.FAILED), id="fedcba543210")
    page.voting.seal([failed.id])
    board = Board.reopened(failed, ballot_of(page.voting, failed, ""))
    settle(page.voting, board)
    assert board.view["columns"][0]["name"] == "alpha"
    assert not page.voting.is_sealed(failed.id)
