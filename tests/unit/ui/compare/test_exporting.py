"""The handler of the menu that takes comparisons away, on a history and a board without a run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from kept_comparisons import kept_of, result

from comparator.hosting.voting import Voting
from comparator.storage.history import History, Retention
from comparator.ui.compare import exporting
from comparator.ui.compare.badges import badges
from comparator.ui.compare.board import Board
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.exporting import make_take_away
from comparator.ui.visitors import browser_of

VISITOR = SimpleNamespace(session_hash="visitor")
STRANGER = SimpleNamespace(session_hash="stranger")
KEPT = kept_of(result("One.", path="/models/inside/first.gguf"), result("Two."))


class FakeHost:
    """A host with a history, of a page that others can reach or of one's own."""

    def __init__(self, history: History, is_public: bool = False) -> None:
        self.history = history
        self.voting = Voting(history)
        self.options = SimpleNamespace(is_public=is_public, models_dir=Path("/models"))

    def owner_of(self, browser: str) -> str:
        return browser if self.options.is_public else ""


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.sqlite3", Retention())


def taken(host: Any, boards: Boards | None = None, request: Any = VISITOR, **event: Any) -> Any:
    """Return what the browser is told of an event."""
    handler = make_take_away(host, "receiver", boards or Boards())
    said = {"form": "json", "how": "save", "comparison": KEPT.id, **event}
    return asyncio.run(handler(gr.EventData(None, said), request))["receiver"]


def test_a_comparison_of_the_history_comes_with_a_name_and_a_kind(history: History) -> None:
    history.add(KEPT)
    told = taken(FakeHost(history), form="card")
    assert told["name"] == "comparison-abcdef012345.card.json"
    assert (told["media_type"], told["how"], told["trouble"]) == ("application/json", "save", "")
    assert [slot["answer"]["text"] for slot in json.loads(told["text"])["slots"]] == [
        "One.",
        "Two.",
    ]


def test_one_card_is_made_at_once_and_other_forms_meanwhile(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_CARD_WAIT_SECONDS", 0.0)
    history.add(KEPT)
    host = FakeHost(history)
    with exporting._CARD:
        assert "Try again in a moment" in taken(host, form="card")["trouble"]
        assert taken(host, form="md")["trouble"] == ""
    assert taken(host, form="card")["trouble"] == ""


def test_the_same_twice_is_news_to_the_browser_both_times(history: History) -> None:
    history.add(KEPT)
    host = FakeHost(history)
    assert taken(host)["number"] != taken(host)["number"]


def test_what_is_on_the_board_is_taken_away_also_where_nothing_is_kept(history: History) -> None:
    boards = Boards()
    boards.keep("visitor", Board.reopened(KEPT))
    told = taken(FakeHost(history), boards)
    assert [record["content"] for record in json.loads(told["text"])] == ["One.", "Two."]


def test_on_a_public_page_a_file_tells_no_place_of_the_machine(history: History) -> None:
    history.add(kept_of(result(path="/models/inside/first.gguf"), owner=browser_of(VISITOR)))
    told = taken(FakeHost(history, is_public=True))
    (record,) = json.loads(told["text"])
    assert record["model"]["path"] is None
    assert record["model"]["file"] == "inside/first.gguf"
    assert "/models" not in told["text"]


def test_nobody_takes_away_what_is_anothers(history: History) -> None:
    history.add(kept_of(result(), owner=browser_of(VISITOR)))
    host = FakeHost(history, is_public=True)
    assert "text" in taken(host)
    refused = taken(host, request=STRANGER)
    assert "not known any more" in refused["trouble"]
    assert "text" not in refused


@pytest.mark.parametrize(
    "event",
    [
        {"form": "exe"},
        {"form": ["json"]},
        {"form": None},
        {"how": "run"},
        {"comparison": {"a": 1}},
        {"comparison": "x" * 100_000},
        {"comparison": ""},
    ],
)
def test_whatever_a_browser_sends_ends_as_a_sentence(history: History, event: Any) -> None:
    history.add(KEPT)
    refused = taken(FakeHost(history), **event)
    assert refused["trouble"]
    assert "text" not in refused


def test_what_a_form_cannot_hold_is_said(history: History) -> None:
    history.add(kept_of(result()))
    assert "has one column" in taken(FakeHost(history), form="pair")["trouble"]
    history.add(kept_of(result(), result(), result()))
    assert "not C" in taken(FakeHost(history), form="pair")["note"]


def test_badges_are_keys_and_numbers_and_an_earlier_answer_itself_is_no_repeat() -> None:
    same = kept_of(result("one"), result("one"), id="e" * 12)
    assert badges(same.records) == [
        {
            "first": "A",
            "second": "B",
            "earlier": "",
            "greedy": False,
            "word": None,
            "thought": False,
        }
    ]
    again = kept_of(result("two"), result("one", seed=8)).records
    assert badges(again, kept_of(result("one"), id="e" * 12)) == []
    (told,) = badges(again, kept_of(result("one"), id="e" * 12), answered_now=[0])
    assert (told["first"], told["second"], told["earlier"], told["word"]) == ("A", "A", "e" * 12, 1)


def test_a_finished_boards_view_has_the_badges() -> None:
    assert Board.reopened(kept_of(result("one"), result("one"))).view["badges"] == [
        {
            "first": "A",
            "second": "B",
            "earlier": "",
            "greedy": False,
            "word": None,
            "thought": False,
        }
    ]
