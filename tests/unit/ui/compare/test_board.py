"""What the board's columns are made of."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.session import Session
from comparator.library import discovery
from comparator.library.facts.store import FactsStore
from comparator.ui.compare.board import Board
from runners import protocol


def test_a_redraw_never_asks_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "Small.echo.json"
    file.write_text("{}")
    model = discovery.inspect(file)
    assert model is not None
    slots = [Slot.of(model, ModelConfig())]
    comparison = Comparison(Request(Conversation.of("hi"), slots), lambda: None)
    engine: Any = None  # nothing is started
    board = Board(Session(engine, comparison))
    file.unlink()

    def touched(*_arguments: Any, **_names: Any) -> None:
        raise AssertionError("the disk was asked")

    comparison._tell(0, protocol.Token("Hello", 1, 0.1))
    with monkeypatch.context() as patched:
        patched.setattr(FactsStore, "facts_of", touched)
        patched.setattr(builtins, "open", touched)
        patched.setattr(os, "stat", touched)
        assert board.update()
    (column,) = board.view["columns"]
    assert (column["text"], column["kind"]) == ("Hello", "Echo · 2 bytes")


def test_a_column_shows_a_thought_apart_and_says_that_it_thinks() -> None:
    model = ModelInfo("a", "alpha", "/a.echo.json", ModelType.ECHO, 10)
    comparison = Comparison(Request(Conversation.of("hi"), [Slot(model, ModelConfig())]))
    engine: Any = None  # nothing is started
    board = Board(Session(engine, comparison))

    def told(*messages: protocol.Message) -> dict[str, Any]:
        for message in messages:
            comparison._tell(0, message)
        assert board.update()
        (column,) = board.view["columns"]
        return dict(column)

    column = told(protocol.Token("", 1, 1.0, thought="So\x1b", thought_tokens=1))
    assert (column["text"], column["thought"]) == ("", "So\\x1b")
    assert (column["state"], column["thinking"]) == ("writing", {"tokens": 1, "seconds": 0.0})
    column = told(protocol.Token("Yes", 2, 3.0))
    assert (column["text"], column["thought"]) == ("Yes", "So\\x1b")
    assert (column["state"], column["thinking"]) == ("writing", {"tokens": 1, "seconds": 0.0})
    assert ["answer_began", 3.0] in column["numbers"]


def test_a_column_takes_back_what_turns_out_to_be_a_thought() -> None:
    model = ModelInfo("a", "alpha", "/a.echo.json", ModelType.ECHO, 10)
    comparison = Comparison(Request(Conversation.of("hi"), [Slot(model, ModelConfig())]))
    engine: Any = None  # nothing is started
    board = Board(Session(engine, comparison))
    comparison._tell(0, protocol.Token("Let me", 1, 1.0))
    board.update()
    assert board.view["columns"][0]["text"] == "Let me"
    assert board.view["columns"][0]["thinking"] is None
    comparison._tell(0, protocol.Token("Yes", 2, 2.0, thought_tokens=2, was_thought=True))
    board.update()
    (column,) = board.view["columns"]
    assert (column["text"], column["thought"]) == ("Yes", "Let me")
