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
