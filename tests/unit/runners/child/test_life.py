"""What a child tells of tokens that its engine keeps back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runners import protocol
from runners.base import End, Piece, PromptTokens, TokenInferencer, TokenText
from runners.child import life
from runners.child.token_batching import Pace


class Keeper(TokenInferencer):
    """Tells a token as if it had been chosen at a given moment, and one without a moment."""

    def __init__(self, chosen_at: float) -> None:
        super().__init__()
        self.chosen_at = chosen_at

    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        self.is_loaded = True

    def unload_model(self) -> None:
        self.is_loaded = False

    def get_model_info(self) -> dict[str, Any]:
        return {}

    def pieces(self, prompt: str) -> Iterator[Piece]:
        yield PromptTokens(1, prompt, "none")
        yield TokenText("kept ", self.chosen_at)
        yield TokenText("told at once")
        yield End("stop")


def test_an_engine_is_given_the_pace_and_its_tokens_keep_their_moments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = time.monotonic() - 100
    keeper = Keeper(started + 1.5)
    monkeypatch.setattr(life, "find_inferencer", lambda _assignment: keeper)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assignment = protocol.Assignment("echo", {"path": "a"}, "hello", {}, started)
        life.answer(assignment, life.Teller(theirs, started), life.Stage())
        messages = protocol.LineReader().feed(ours.recv(65_536))
    assert isinstance(getattr(keeper.is_due, "__self__", None), Pace)
    kept, at_once = [message for message in messages if isinstance(message, protocol.Token)]
    assert kept.seconds == pytest.approx(1.5)
    assert at_once.seconds >= 100
