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


def _played(
    monkeypatch: pytest.MonkeyPatch, inferencer: TokenInferencer, verdict: dict[str, Any]
) -> list[protocol.ChildMessage]:
    monkeypatch.setattr(life, "find_inferencer", lambda _assignment: inferencer)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assignment = protocol.Assignment("echo", {"path": "a"}, "hi", {}, 0.0, verdict=verdict)
        life.answer(assignment, life.Teller(theirs, 0.0), life.Stage())
        return protocol.LineReader().feed(ours.recv(1_000_000))


class Candid(Keeper):
    """Says what is off after the load, and more at the end."""

    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        super().load_model(model_path, config)
        self.way = "cached"
        self.fallbacks.append(f"It had {self.verdict['settings']}.")
        self.learned = {**self.verdict["learned"], "new": True}

    def pieces(self, prompt: str) -> Iterator[Piece]:
        self.fallbacks.append("Found while it answered.")
        yield from super().pieces(prompt)


def test_an_engine_is_told_its_verdict_and_says_what_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = {"settings": {"a": 1}, "learned": {"old": 1}}
    messages = _played(monkeypatch, Candid(1.0), verdict)
    (loaded,) = [m for m in messages if isinstance(m, protocol.Loaded)]
    (finished,) = [m for m in messages if isinstance(m, protocol.Finished)]
    assert (loaded.way, loaded.fallbacks) == ("cached", ("It had {'a': 1}.",))
    assert loaded.learned == {"old": 1, "new": True}
    assert finished.fallbacks == ("It had {'a': 1}.", "Found while it answered.")


@pytest.mark.parametrize("learned", [{"x": object()}, object(), {"x": {1, 2}}])
def test_what_is_no_json_is_not_learned(monkeypatch: pytest.MonkeyPatch, learned: Any) -> None:
    keeper = Keeper(1.0)
    keeper.learned = learned
    keeper.fallbacks = ["x" * 5000] * 50
    messages = _played(monkeypatch, keeper, {})
    (loaded,) = [m for m in messages if isinstance(m, protocol.Loaded)]
    assert loaded.learned == {}
    assert loaded.fallbacks == ("x" * protocol.LONGEST_SENTENCE,) * protocol.MOST_SENTENCES


class Forgetful(Keeper):
    """A class of one's own that does not call ours."""

    def __init__(self) -> None:
        self.chosen_at = 1.0


def test_an_inferencer_that_forgets_to_call_ours_is_adopted_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adopted = life.adopt(Forgetful())
    messages = _played(monkeypatch, adopted, {"settings": {}})
    (loaded,) = [m for m in messages if isinstance(m, protocol.Loaded)]
    assert (loaded.way, loaded.fallbacks, loaded.learned) == ("", (), {})
