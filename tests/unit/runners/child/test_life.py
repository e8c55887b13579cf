"""What a child tells of tokens that its engine keeps back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation, Prompt
from comparator.core.exceptions import (
    ConfigurationError,
    InferenceError,
    MessageLostError,
    PromptTooLongError,
)
from comparator.core.models import ModelInfo, ModelType
from runners import protocol
from runners.base import (
    BaseInferencer,
    End,
    Piece,
    PromptTokens,
    TokenInferencer,
    TokenText,
)
from runners.child import answerer, life
from runners.child.token_batching import TokenBatching
from runners.machine.processor_share import ProcessorShare
from runners.process import pickled

MODEL = ModelInfo("", "a", "a", ModelType.ECHO, 0)
CUSTOM = ModelInfo("", "a", "a", ModelType.CUSTOM, 0)
TURNS = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]


def assigned(
    *prompts: Prompt, model: ModelInfo = MODEL, started: float = 0.0, system: str = "", **more: Any
) -> protocol.Assignment:
    conversations = tuple(Conversation.of(prompt, system) for prompt in prompts)
    config = ModelConfig(system_prompt=system)
    return protocol.Assignment(protocol.Answer(model, config, conversations), started, **more)


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

    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
        assert isinstance(prompt, Conversation)
        yield PromptTokens(1, prompt.as_text(), "none")
        yield TokenText("kept ", self.chosen_at)
        yield TokenText("told at once")
        yield End("stop")


def test_an_engine_is_given_the_pace_and_its_tokens_keep_their_moments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = time.monotonic() - 100
    keeper = Keeper(started + 1.5)
    monkeypatch.setattr(life.registry, "create_inferencer", lambda _kind, _library: keeper)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        life.do(assigned("hello", started=started), life.Teller(theirs, started), life.Stage())
        messages = protocol.LineReader().feed(ours.recv(65_536))
    assert isinstance(getattr(keeper.is_due, "__self__", None), TokenBatching)
    kept, at_once = [message for message in messages if isinstance(message, protocol.Token)]
    assert kept.seconds == pytest.approx(1.5)
    assert at_once.seconds >= 100


def _played(
    monkeypatch: pytest.MonkeyPatch,
    inferencer: BaseInferencer,
    verdict: dict[str, Any],
    assignment: protocol.Assignment | None = None,
) -> list[protocol.ChildMessage]:
    monkeypatch.setattr(life.registry, "create_inferencer", lambda _kind, _library: inferencer)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assignment = assignment or assigned("hi", verdict=verdict)
        life.do(assignment, life.Teller(theirs, 0.0), life.Stage())
        return protocol.LineReader().feed(ours.recv(1_000_000))


class Candid(Keeper):
    """Says what is off after the load, and more at the end."""

    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        super().load_model(model_path, config)
        self.way = "cached"
        self.fallbacks.append(f"It had {self.verdict['settings']}.")
        self.learned = {**self.verdict["learned"], "new": True}

    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
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
    adopted = answerer.adopt(Forgetful())
    messages = _played(monkeypatch, adopted, {"settings": {}})
    (loaded,) = [m for m in messages if isinstance(m, protocol.Loaded)]
    assert (loaded.way, loaded.fallbacks, loaded.learned) == ("", (), {})


class Recorder(BaseInferencer):
    """A user's inferencer, which knows texts and dictionaries; it answers with what it was told."""

    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        self.system = config["system_prompt"]
        self.is_loaded = True

    def generate_stream(self, prompt: str) -> Iterator[str]:
        yield self.system
        yield prompt

    def unload_model(self) -> None: ...

    def get_model_info(self) -> dict[str, Any]:
        return {}


class Trusting(Recorder):
    """One that says it takes conversations."""

    takes_conversations = True

    def generate_stream(self, prompt: Any) -> Iterator[str]:
        yield type(prompt).__name__


@pytest.mark.parametrize(
    ("kind", "prompt", "told"),
    [
        (Recorder, "hi", ["Be brief.", "hi"]),
        (
            Recorder,
            TURNS,
            ["Be brief.", "Be brief.\n\nUser: one\n\nAssistant: two\n\nUser: three\n\nAssistant:"],
        ),
        (Trusting, "hi", ["str"]),
        (Trusting, TURNS, ["Conversation"]),
    ],
)
def test_a_users_inferencer_is_told_texts(
    monkeypatch: pytest.MonkeyPatch, kind: type, prompt: Prompt, told: list[str]
) -> None:
    factories = pickled([lambda _model: kind()])
    assignment = assigned(prompt, model=CUSTOM, system="Be brief.", factories=factories)
    messages = _played(monkeypatch, Keeper(1.0), {}, assignment)
    assert [m.text for m in messages if isinstance(m, protocol.Token)] == told
    assert isinstance(messages[-2], protocol.Answered)
    assert isinstance(messages[-1], protocol.Finished)


class Choosy(Keeper):
    """Counts its loads, and refuses a conversation that asks for it."""

    takes_conversations = True
    loads = 0

    def prepare(self, model_path: str, config: Any, prompt: Any) -> None:
        self._refuse(prompt)

    def load_model(self, model_path: str, config: Any) -> None:
        self.loads += 1

    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
        self._refuse(prompt)
        yield from super().pieces(prompt)

    def _refuse(self, prompt: Any) -> None:
        if prompt.question == "long":
            raise PromptTooLongError("It is too long.")
        if prompt.question == "lost":
            raise MessageLostError("It is left out.")


def test_several_conversations_are_answered_in_order_by_a_model_that_is_loaded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choosy = Choosy(1.0)
    messages = _played(monkeypatch, choosy, {}, assigned("a", TURNS, "c"))
    assert choosy.loads == 1
    prompts = [m for m in messages if isinstance(m, protocol.Prompted)]
    assert [m.answer for m in prompts] == [0, 1, 2]
    assert [m.rendered_prompt[:4] for m in prompts] == ["a", "User", "c"]
    tokens = [(m.answer, m.index) for m in messages if isinstance(m, protocol.Token)]
    assert tokens == [(number, index) for number in range(3) for index in (1, 2)]
    ended = [(m.answer, m.reason, m.tokens) for m in messages if isinstance(m, protocol.Answered)]
    assert ended == [(0, "stop", 2), (1, "stop", 2), (2, "stop", 2)]
    assert [type(m) for m in messages].count(protocol.Finished) == 1
    assert isinstance(messages[-1], protocol.Finished)


@pytest.mark.parametrize(("bad", "why"), [("long", "It is too long."), ("lost", "It is left out.")])
@pytest.mark.parametrize("place", [0, 1])
def test_one_of_several_that_cannot_be_asked_fails_alone(
    monkeypatch: pytest.MonkeyPatch, bad: str, why: str, place: int
) -> None:
    prompts = ["b", "b"]
    prompts[place] = bad
    messages = _played(monkeypatch, Choosy(1.0), {}, assigned(*prompts))
    ends = {m.answer: m for m in messages if isinstance(m, protocol.Answered)}
    refused = ends[place]
    assert (refused.reason, refused.error_kind) == ("error", "refused")
    assert refused.error == why
    assert ends[1 - place].reason == "stop"


def test_the_only_one_that_does_not_fit_is_refused_before_the_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choosy = Choosy(1.0)
    with pytest.raises(PromptTooLongError):
        _played(monkeypatch, choosy, {}, assigned("long"))
    assert choosy.loads == 0


def test_a_stop_ends_the_run_after_the_answer_that_it_met(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Keeper):
        def pieces(self, prompt: Prompt) -> Iterator[Piece]:
            yield End("cancelled")

    messages = _played(monkeypatch, Stopped(1.0), {}, assigned("a", "b"))
    ends = [m.reason for m in messages if isinstance(m, protocol.Answered)]
    assert ends == ["cancelled"]
    assert isinstance(messages[-1], protocol.Finished)


def test_pieces_without_an_end_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Keeper):
        def pieces(self, prompt: Prompt) -> Iterator[Piece]:
            yield TokenText("a")

    with pytest.raises(InferenceError, match="without an End"):
        _played(monkeypatch, Endless(1.0), {})


def test_scoring_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    work = protocol.Score(MODEL, ModelConfig(), ("a text",))
    with pytest.raises(ConfigurationError, match="The echo engine cannot score texts"):
        _played(monkeypatch, Keeper(1.0), {}, protocol.Assignment(work, 0.0))


class Counting:
    """Tells of each span as many seconds as there were readings."""

    readings = 0

    def since_last(self) -> ProcessorShare:
        self.readings += 1
        return ProcessorShare(share=1.0, run_seconds=float(self.readings), elapsed_seconds=1.0)


class Silent(Keeper):
    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
        yield PromptTokens(1, "", "none")
        yield End("stop")


class TestWhatEachStageGot:
    """It is read at the borders of stages, and never between tokens."""

    def test_load_prefill_and_decode_are_told_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader = Counting()
        monkeypatch.setattr("runners.child.stage.ShareReader", lambda: reader)
        messages = _played(monkeypatch, Keeper(1.0), {})
        (loaded,) = [m for m in messages if isinstance(m, protocol.Loaded)]
        (answered,) = [m for m in messages if isinstance(m, protocol.Answered)]
        told = [loaded.processor, answered.prefill, answered.decode]
        assert [got and got.run_seconds for got in told] == [1.0, 2.0, 3.0]
        assert reader.readings == 3

    def test_without_a_token_there_is_none_of_an_answer(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        messages = _played(monkeypatch, Silent(1.0), {})
        (answered,) = [m for m in messages if isinstance(m, protocol.Answered)]
        assert (answered.prefill, answered.decode) == (None, None)


class Musing(BaseInferencer):
    """One of a user's own, which only knows fragments of text."""

    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        self.is_loaded = True

    def generate_stream(self, prompt: str) -> Iterator[str]:
        yield from ("<thi", "nk>So", ".</th", "ink>Yes")

    def unload_model(self) -> None:
        self.is_loaded = False

    def get_model_info(self) -> dict[str, Any]:
        return {}


def test_an_inferencer_of_ones_own_thinks_apart_from_its_answer() -> None:
    ours, theirs = socket.socketpair()
    factories = pickled([lambda _model: Musing()])
    with ours, theirs:
        assignment = assigned("q", model=CUSTOM, factories=factories)
        life.do(assignment, life.Teller(theirs, 0.0), life.Stage())
        messages = protocol.LineReader().feed(ours.recv(65_536))
    tokens = [message for message in messages if isinstance(message, protocol.Token)]
    assert [(token.thought, token.text) for token in tokens] == [
        *[("", ""), ("So", ""), (".", "")],
        ("", "Yes"),
    ]
    assert [token.thought_tokens for token in tokens] == [0, 2, 1, 1]
