"""What a blind board tells: letters, and answers when all of them are there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.admission_queue import SUITE, Admission
from comparator.hosting.session import Session
from comparator.ui.compare.blind import Ballot
from comparator.ui.compare.board import Board
from runners import protocol

SECRET = ("alpha", "beta", "echo", "Echo", "safetensors", "Q4_K_M", "tokens_per_second", "speed")


def _board(
    ballot: Ballot | None = None, names: tuple[str, ...] = ("alpha", "beta")
) -> tuple[Board, Comparison]:
    kind = ModelType.ECHO
    models = [
        ModelInfo(name, name, f"/models/{name}-Q4_K_M.echo.json", kind, 98_362_432)
        for name in names
    ]
    slots = [Slot.of(model, ModelConfig()) for model in models]
    comparison = Comparison(Request(Conversation.of("hi"), slots), lambda: None)
    comparison.name = "abcdef"
    engine: Any = None  # nothing is started
    board = Board(Session(engine, comparison), ballot=ballot or Ballot(True, sealed=["abcdef"]))
    return board, comparison


def _answer(comparison: Comparison, slot: int, text: str) -> None:
    comparison._tell(slot, protocol.Token(text, 1, 0.1, thought="I am alpha"))
    comparison._tell(slot, protocol.Answered("length", 1, 0.2))
    comparison._tell(slot, protocol.Finished(0.2))


def test_until_all_have_answered_nothing_of_any_answer_is_told() -> None:
    board, comparison = _board()
    waiting = json.dumps(board.view)
    _answer(comparison, 0, "Hello")
    board.update()
    assert json.dumps(board.view) == waiting, "neither that one is done, nor what it wrote"
    _answer(comparison, 1, "Good day")
    board.update()
    assert [column["text"] for column in board.view["columns"]] == ["Hello", "Good day"]
    assert [column["name"] for column in board.view["columns"]] == ["A", "B"]
    assert board.view["vote"]["state"] == "open"


def test_what_a_blind_question_waits_for_is_told() -> None:
    board, _ = _board()
    session, line = board.session, Admission()
    assert session is not None
    line.enter(what=SUITE)
    session._ticket = line.enter()
    board.redraw()
    assert "suite" in board.view["note"]


def test_a_blind_view_tells_no_name_and_no_figure_whatever_is_asked_of_it() -> None:
    board, comparison = _board()
    told = [json.dumps(board.view)]
    for slot, text in enumerate(("Hello", "Good day")):
        _answer(comparison, slot, text)
        board.update()
        board.show_tokens()
        told.append(json.dumps(board.view))
    for view in told:
        assert [word for word in SECRET if word in view] == []
        assert "tokens" not in json.loads(view)["columns"][0]
    board.ballot.show_names()
    board.redraw()
    shown = json.dumps(board.view)
    assert [word for word in ("alpha", "beta", "Echo") if word not in shown] == []
    assert board.view["columns"][0]["numbers"]
    assert board.view["fair_play"] is not None


def test_where_a_column_fails_the_names_are_shown_and_there_is_no_vote() -> None:
    board, comparison = _board()
    _answer(comparison, 0, "Hello")
    comparison._tell(1, protocol.Failed("load", "load", "Broken."))
    board.update()
    assert not board.is_blind
    assert board.ballot.show_names() == ["abcdef"], "so that the history may tell them, too"
    vote = board.view["vote"]
    assert (vote["state"], vote["missing"], vote["was_blind"]) == ("closed", ["B"], True)
    assert board.view["columns"][1]["error"] == "Broken."


def test_of_three_two_are_voted_on_and_why_the_third_failed_is_told_later() -> None:
    board, comparison = _board(names=("alpha", "beta", "gamma"))
    for slot in (0, 2):
        _answer(comparison, slot, "Hello")
    comparison._tell(1, protocol.Failed("load", "load", "Broken beta."))
    board.update()
    assert board.is_blind
    assert board.view["vote"]["letters"] == ["A", "C"]
    failed = board.view["columns"][1]
    assert (failed["text"], failed["error"], failed["missing"]) == ("", "", True)
    with pytest.raises(ConfigurationError, match="one of A, C, tie, both_bad, not 'B'"):
        board.ballot.check(board.view["vote"], "B")
    board.ballot.check(board.view["vote"], "C")
    board.ballot.show_names()
    board.redraw()
    assert board.view["columns"][1]["error"] == "Broken beta."


def test_what_is_stopped_is_shown_with_its_names() -> None:
    board, comparison = _board()
    _answer(comparison, 0, "Hello")
    comparison.stop()
    board.update()
    assert board.view["vote"]["missing"] == ["B"]
    assert [column["name"] for column in board.view["columns"]] == ["alpha", "beta"]


def test_a_further_turn_is_as_blind_and_one_column_is_left_alone_meanwhile() -> None:
    ballot = Ballot(True, sealed=["abcdef"], answer="A")
    assert ballot.next() == Ballot(True, sealed=["abcdef"])
    with pytest.raises(ConfigurationError, match="hidden until you vote"):
        ballot.refuse_while_blind()
    ballot.show_names()
    ballot.refuse_while_blind()
    assert ballot.next() == Ballot()


def test_names_known_from_the_start_are_told_as_ever() -> None:
    board, comparison = _board(Ballot())
    assert board.view["columns"][0]["name"] == "alpha"
    _answer(comparison, 0, "Hello")
    board.update()
    assert board.view["columns"][0]["text"] == "Hello"
    assert board.view["vote"]["state"] == "waiting"
