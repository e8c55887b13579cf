"""What a column shows of a conversation, of tokens, and of a comparison that is over and kept."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.kept import KeptComparison, kept
from comparator.comparison.request import Request, Slot
from comparator.comparison.written import AnswerPart
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from comparator.core.time_left import TimeLeft
from comparator.hosting.session import Session
from comparator.ui.compare.board import Board
from comparator.ui.compare.columns import (
    LONGEST_BEGIN,
    LeftOutColumn,
    label_of,
    said_before,
    token_lengths,
)
from runners import protocol

MODEL = ModelInfo("a", "al\x1bpha", "/a.echo.json", ModelType.ECHO, 10)
END = (protocol.Answered("length", 2, 0.3), protocol.Finished(0.3))
ASKED = Conversation.of("One?").and_then("First.", "Two?\x07")


def _over(conversation: Conversation = ASKED, columns: int = 1) -> Comparison:
    """Return a comparison of which every column has answered, an emoji in two tokens."""
    slots = [Slot(MODEL, ModelConfig(), conversation=conversation) for _ in range(columns)]
    comparison = Comparison(Request(conversation, slots))
    for slot in range(columns):
        comparison._tell(slot, protocol.Token("Hi \x1b", 1, 0.1))
        comparison._tell(slot, protocol.Token("", 2, 0.2))
        comparison._tell(slot, protocol.Token("🙂", 3, 0.25))
        for message in END:
            comparison._tell(slot, message)
    return comparison


def _kept() -> KeptComparison:
    comparison = _over()
    comparison.drain()
    return kept(comparison.request, comparison.results(), "abc")


def _board(comparison: Comparison) -> Board:
    engine: Any = None  # nothing is started
    board = Board(Session(engine, comparison))
    board.update()
    return board


def test_a_column_tells_the_turns_of_its_own_history() -> None:
    (column,) = _board(_over()).view["columns"]
    assert column["turns"] == [{"question": "One?", "answer": "First."}]
    assert (column["question"], column["text"]) == ("Two?\\x07", "Hi \\x1b🙂")
    assert column["cut"]


@pytest.mark.parametrize(
    ("dtype", "words"), [("Q8_0", "GGUF · Q8_0 · 98 MB"), ("llama 256M Q8_0", "GGUF · 98 MB")]
)
def test_a_kept_column_names_its_quantisation_as_a_live_one_does(dtype: str, words: str) -> None:
    model = {"model_type": "gguf", "size": 98_000_000}
    assert label_of({"model": model, "engine": {"dtype": dtype}}) == words


def test_a_first_question_stands_in_the_form_so_that_its_begin_does() -> None:
    long = [{"role": "user", "content": "x" * 10_000}]
    assert said_before(long) == ([], "x" * LONGEST_BEGIN + "…")
    assert said_before(long, with_first=True) == ([], "x" * 10_000)
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert said_before(system) == ([], "Hi")


def test_a_continued_answer_stands_there_with_its_begin() -> None:
    (column,) = _board(_over(ASKED.continuing("So far "))).view["columns"]
    assert column["text"] == "So far Hi \\x1b🙂"


def test_a_load_tells_how_long_it_will_still_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    clocked = "comparator.ui.compare.columns.TimeLeft"
    monkeypatch.setattr(clocked, lambda: TimeLeft(lambda: now[0]))
    comparison = Comparison(Request(Conversation.of("hi"), [Slot(MODEL, ModelConfig())]))
    board = _board(comparison)
    told = []
    for moment, done in ((0.0, 10), (10.0, 30), (20.0, 100)):
        now[0] = moment
        comparison._tell(0, protocol.Loading("weights", done, 100))
        assert board.update()
        told.append(board.view["columns"][0]["seconds_left"])
    assert told == [None, 35, 0]
    comparison._tell(0, protocol.Token("Hi", 1, 0.1))
    assert board.update()
    assert board.view["columns"][0]["seconds_left"] is None, "nothing loads any more"


def test_tokens_are_told_when_they_are_asked_for_and_a_column_is_over() -> None:
    slots = [Slot(MODEL, ModelConfig())]
    comparison = Comparison(Request(Conversation.of("hi"), slots))
    board = _board(comparison)
    board.show_tokens()
    comparison._tell(0, protocol.Token("Hi", 1, 0.1))
    assert board.update()
    assert "tokens" not in board.view["columns"][0]
    for message in END:
        comparison._tell(0, message)
    assert board.update()
    assert board.view["columns"][0]["tokens"] == [[2, 1, None]]


def test_lengths_of_tokens_are_those_of_the_shown_text_as_a_browser_counts() -> None:
    board = _board(_over())
    assert "tokens" not in board.view["columns"][0]
    board.show_tokens()
    (column,) = board.view["columns"]
    assert column["tokens"] == [[len("Hi \\x1b"), 1, None], [2, 2, None]]
    assert token_lengths([AnswerPart("a", 1, 0.25)]) == [[1, 1, 0.25]]


def test_a_kept_comparison_is_shown_as_it_ended_and_can_be_kept_again() -> None:
    live = _board(_over()).view["columns"][0]
    earlier = _kept()
    view = Board.reopened(earlier).view
    (column,) = view["columns"]
    same = ("name", "state", "text", "turns", "question", "numbers", "cut")
    assert {key: column[key] for key in same} == {key: live[key] for key in same}
    assert column["kind"] == "Echo · 10 bytes"
    assert (view["running"], view["comparison"]) == (False, "abc")
    board = Board.reopened(earlier)
    assert board.kept() == earlier
    board.show_tokens()
    assert board.view["columns"][0]["tokens"] is None  # they are not kept


def test_a_column_that_was_left_out_says_why_under_its_last_answer() -> None:
    (record,) = _kept().records
    column = LeftOutColumn(0, record, "Three?\x1b", "It is gone.")
    assert column.view["turns"][-1] == {"question": "Two?\\x07", "answer": "Hi \\x1b🙂"}
    assert (column.view["question"], column.view["text"]) == ("Three?\\x1b", "")
    assert (column.view["state"], column.view["error"]) == ("failed", "It is gone.")
    assert column.record() == record


def test_what_a_board_keeps_has_every_column_in_its_place() -> None:
    (record,) = _kept().records
    engine: Any = None
    others = {0: LeftOutColumn(0, record, "Three?", "It is gone.")}
    board = Board(Session(engine, _over(), [1]), [1], others, _kept())
    board.update()
    assert [one["content"] for one in board.kept().records] == ["Hi \x1b🙂", "Hi \x1b🙂"]
    assert [column["state"] for column in board.view["columns"]] == ["failed", "done"]
