"""What a board asks next, and of whom, on a host that starts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request, Slot
from comparator.comparison.turns import Turns
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.session import BusyError, Session
from comparator.hosting.voting import Voting
from comparator.ui.compare.blind import Ballot
from comparator.ui.compare.board import Board
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.turn_handlers import TurnHandlers, make_turn_handlers
from runners import protocol

MODEL = ModelInfo("a", "alpha", "/a.echo.json", ModelType.ECHO, 10)
VISITOR = SimpleNamespace(session_hash="visitor", cookies={})
ANSWERS = (("Hello", "stop"), ("Wor", "length"))


def _ended(answers: tuple[tuple[str, str], ...] = ANSWERS) -> Comparison:
    """Return a comparison whose columns have answered; an empty answer is a failure."""
    slots = [Slot(MODEL, ModelConfig()) for _ in answers]
    comparison = Comparison(Request(Conversation.of("hi"), slots))
    for slot, (text, reason) in enumerate(answers):
        if not text:
            comparison._tell(slot, protocol.Failed("load", "load", "Broken."))
            continue
        comparison._tell(slot, protocol.Token(text, 1, 0.1))
        comparison._tell(slot, protocol.Answered(reason, 1, 0.2))
        comparison._tell(slot, protocol.Finished(0.2))
    return comparison


class FakeHost:
    """Takes turns, and leaves columns out whose models are gone."""

    def __init__(self, gone: tuple[int, ...] = ()) -> None:
        self.gone = gone
        history: Any = SimpleNamespace(is_on=True)
        self.voting = Voting(history)
        self.turns: list[Turns] = []
        self.error: Exception | None = None

    def ask_on(
        self, key: str, turns: Turns, on_news: Callable[[], None], visitor: str, browser: str
    ) -> Session:
        if self.error:
            raise self.error
        self.turns.append(turns)
        there = [turn for turn in turns.turns if turn.column not in self.gone]
        slots = [Slot(MODEL, ModelConfig(), conversation=turn.conversation) for turn in there]
        request = Request(there[0].conversation, slots)
        engine: Any = None
        session = Session(engine, Comparison(request, on_news), [turn.column for turn in there])
        gone = dict.fromkeys(self.gone, "It is left out: its model is gone.")
        session.left_out = {**turns.left_out, **gone}
        return session


def _page(host: FakeHost, comparison: Comparison) -> tuple[TurnHandlers, Boards]:
    boards, engine = Boards(), None
    board = Board(Session(engine, comparison))  # type: ignore[arg-type]
    board.update()
    boards.keep("visitor", board)
    return make_turn_handlers(host, "board", boards), boards  # type: ignore[arg-type]


def _first(stream: AsyncIterator[Any]) -> Any:
    """Return what the board shows first, and close the stream."""

    async def live() -> Any:
        updates = await asyncio.wait_for(stream.__anext__(), 5)
        await stream.aclose()  # type: ignore[attr-defined]
        return updates.get("board", updates)

    return asyncio.run(live())


def test_asking_on_goes_on_from_each_columns_own_answer() -> None:
    host = FakeHost()
    handlers, boards = _page(host, _ended())
    view = _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    assert [column["turns"][0]["answer"] for column in view["columns"]] == ["Hello", "Wor"]
    assert [column["question"] for column in view["columns"]] == ["And?", "And?"]
    assert boards.of("visitor").view is view  # type: ignore[union-attr]


def test_a_column_that_cannot_be_asked_says_so_and_the_others_go_on() -> None:
    host = FakeHost(gone=(0,))
    handlers, _boards = _page(host, _ended())
    view = _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    assert [column["state"] for column in view["columns"]] == ["failed", "waiting"]
    assert "its model is gone" in view["columns"][0]["error"]
    handlers, _boards = _page(FakeHost(), _ended((("Hello", "stop"), ("", ""))))
    view = _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    assert [column["state"] for column in view["columns"]] == ["waiting", "failed"]
    assert "no answer to go on from" in view["columns"][1]["error"]


def test_an_edited_turn_takes_the_place_of_what_came_after_it() -> None:
    host = FakeHost()
    handlers, boards = _page(host, _ended())
    _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    boards.of("visitor").view["running"] = False  # type: ignore[union-attr]
    data = {"question": "Or?", "turn": 0}
    view = _first(handlers.edit_turn(gr.EventData(None, data), VISITOR))
    assert [(column["turns"], column["question"]) for column in view["columns"]] == [
        ([], "Or?")
    ] * 2
    # The form has the question that was asked first, so the board shows this one.
    assert [column["asked_on"] for column in view["columns"]] == [True, True]


def test_one_column_is_written_anew_or_gone_on_with_and_the_others_stay() -> None:
    host = FakeHost()
    handlers, _boards = _page(host, _ended())
    view = _first(handlers.go_on(gr.EventData(None, {"slot": 1}), VISITOR))
    assert [column["state"] for column in view["columns"]] == ["done", "waiting"]
    assert [column["text"] for column in view["columns"]] == ["Hello", "Wor"]
    handlers, _boards = _page(host, _ended())
    view = _first(handlers.regenerate(gr.EventData(None, {"slot": 0}), VISITOR))
    assert [column["text"] for column in view["columns"]] == ["", "Wor"]
    assert host.turns[-1].turns[0].settings.get("seed") is None


def test_what_an_event_should_carry_is_checked() -> None:
    handlers, _boards = _page(FakeHost(), _ended())
    for data in ({}, None, {"question": 7}, {"question": ["x"]}):
        view = _first(handlers.ask_on(gr.EventData(None, data), VISITOR))
        assert "not known any more" in view["refused"]
    for data in ({}, None, {"slot": 9}, {"slot": True}, {"slot": 3}):
        view = _first(handlers.regenerate(gr.EventData(None, data), VISITOR))
        assert "not known any more" in view["refused"]
    view = _first(handlers.ask_on(gr.EventData(None, {"question": " "}), VISITOR))
    assert "it is empty" in view["refused"]
    view = _first(handlers.edit_turn(gr.EventData(None, {"question": "x", "turn": 5}), VISITOR))
    assert "none with the number 5" in view["refused"]
    stranger = SimpleNamespace(session_hash="stranger", cookies={})
    view = _first(handlers.ask_on(gr.EventData(None, {"question": "x"}), stranger))
    assert "not known any more" in view["refused"]
    assert "board" in handlers.show_tokens(stranger)


@pytest.mark.parametrize("error", [ConfigurationError("The line is full."), BusyError()])
def test_what_the_host_refuses_leaves_the_board_as_it_is(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda text, duration: said.append(text))
    host = FakeHost()
    handlers, boards = _page(host, _ended())
    before = boards.of("visitor")
    host.error = error
    view = _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    assert said == [str(error)] if isinstance(error, BusyError) else "line is full" in str(view)
    assert boards.of("visitor") is before


def test_nothing_goes_on_while_the_board_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda text, duration: said.append(text))
    host = FakeHost()
    handlers, _boards = _page(
        host, Comparison(Request(Conversation.of("x"), [Slot(MODEL, ModelConfig())]))
    )
    _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    assert said
    assert host.turns == []


def test_the_end_of_a_session_that_goes_on_is_asked_for_when_its_tab_is_closed() -> None:
    host = FakeHost()
    handlers, boards = _page(host, _ended())
    _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    board = boards.of("visitor")
    assert board is not None
    board.update()
    assert [column["state"] for column in board.view["columns"]] == ["stopped", "stopped"]


def _made_blind(boards: Boards, *sealed: str) -> Board:
    board = boards.of("visitor")
    assert board is not None
    board.ballot = Ballot(True, sealed=list(sealed))
    board.redraw()
    return board


def test_a_blind_board_is_asked_on_in_its_order_and_stays_blind() -> None:
    host = FakeHost()
    handlers, boards = _page(host, _ended())
    _made_blind(boards, "the first")
    view = _first(handlers.ask_on(gr.EventData(None, {"question": "And?"}), VISITOR))
    assert [column["name"] for column in view["columns"]] == ["A", "B"]
    assert [column["turns"][0]["answer"] for column in view["columns"]] == ["Hello", "Wor"]
    assert [turn.column for turn in host.turns[0].turns] == [0, 1]
    board = boards.of("visitor")
    assert board is not None
    assert board.ballot.sealed[0] == "the first", "what was asked before comes to light with it"


def test_one_column_of_a_blind_board_is_neither_regenerated_nor_continued() -> None:
    host = FakeHost()
    handlers, boards = _page(host, _ended())
    board = _made_blind(boards)
    for event in (handlers.regenerate, handlers.go_on):
        view = _first(event(gr.EventData(None, {"slot": 1}), VISITOR))
        assert "hidden until you vote" in view["refused"]
    assert host.turns == []
    assert board.is_blind
