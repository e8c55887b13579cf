"""Counts of tokens: made once, never beside a measured run, and unknown where nobody can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comparator.comparison.engine_trials.trials import Trials
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from comparator.core.quiet import quiet
from comparator.services import token_counts
from comparator.services.token_counts import ModelPromptSize, TokenCounts
from runners import protocol

SIZE = {"tokens": 3, "context": 2048, "refusal": ""}


class Child:
    """Takes the place of the child that counts."""

    def __init__(self, told: str = json.dumps([SIZE])) -> None:
        self.told = told
        self.asked: list[dict[str, Any]] = []

    def __call__(self, assignment: protocol.Assignment) -> str:
        assert isinstance(assignment.work, protocol.Job)
        self.asked.append({**assignment.work.arguments, "readable": assignment.readable})
        return self.told


@pytest.fixture
def model(tmp_path: Path) -> ModelInfo:
    path = tmp_path / "m.echo.json"
    path.write_text("{}")
    return ModelInfo("m", "m", str(path), ModelType.ECHO, 2)


def asked(model: ModelInfo, text: str = "Why?", **settings: Any) -> Request:
    return Request(Conversation.of(text), [Slot(model, ModelConfig(**settings))])


def counts(child: Callable[[protocol.Assignment], str]) -> TokenCounts:
    return TokenCounts(Trials(), child)


def test_a_prompt_is_counted_once_until_something_of_it_changes(model: ModelInfo) -> None:
    child = Child()
    of = counts(child).of
    for _ in range(3):
        assert of(asked(model)) == [ModelPromptSize(3, 2048)]
    assert len(child.asked) == 1
    others = [
        asked(model, "Why not?"),
        asked(model, n_ctx=512),
        asked(model, system_prompt="Be brief."),
        asked(model, prompt_format="plain"),
        asked(replace(model, path=model.path + "x")),
        replace(asked(model), conversation=Conversation.of("Why?").continuing("It")),
    ]
    for count, other in enumerate(others, start=2):
        of(other)
        of(other)
        assert len(child.asked) == count
    of(asked(model, temperature=1.5, max_tokens=7, seed=3))
    assert len(child.asked) == len(others) + 1, "what changes no prompt is not counted again"


def test_each_slot_is_counted_as_it_alone_is_asked(model: ModelInfo) -> None:
    child = Child()
    request = asked(model)
    own = replace(request.slots[0], conversation=Conversation.of("Mine?"))
    counts(child).of(replace(request, slots=[request.slots[0], own]))
    assert [one["conversations"][0].question for one in child.asked] == ["Why?", "Mine?"]
    assert child.asked[0]["readable"] == (model.path,)


def test_while_a_model_is_measured_only_what_is_known_is_told(model: ModelInfo) -> None:
    child = Child()
    of = counts(child).of
    of(asked(model, "known"))
    run = quiet.begin_run()
    try:
        assert of(asked(model, "known")) == [ModelPromptSize(3, 2048)]
        assert of(asked(model, "new")) == [None]
        assert len(child.asked) == 1
    finally:
        quiet.end_run(run)
    assert of(asked(model, "new")) == [ModelPromptSize(3, 2048)]


@pytest.mark.parametrize(
    "told",
    [
        *("", "x", "[]", "[1]", '[{"tokens": "three", "context": 1}]'),
        *('[{"tokens": -1, "context": 1}]', '[{"tokens": 1, "context": 9007199254740993}]'),
        pytest.param(f'[{{"x": {"[" * 100_000}', id="deep"),
    ],
)
def test_a_child_that_tells_nothing_leaves_it_unknown_and_is_asked_again(
    model: ModelInfo, told: str
) -> None:
    child = Child(told)
    of = counts(child).of
    assert of(asked(model)) == [None] == of(asked(model))
    assert len(child.asked) == 2


def test_a_refusal_is_told_with_what_is_known(model: ModelInfo) -> None:
    child = Child(json.dumps([{"tokens": 9, "context": 4, "refusal": "It does not fit."}]))
    assert counts(child).of(asked(model)) == [ModelPromptSize(9, 4, "It does not fit.")]


def test_of_what_a_child_says_no_more_is_kept_than_people_read(model: ModelInfo) -> None:
    child = Child(json.dumps([{**SIZE, "refusal": "no " * 1_000_000}]))
    (size,) = counts(child).of(asked(model))
    assert size is not None
    assert len(size.refusal) == token_counts.LONGEST_REFUSAL


def test_a_child_that_counts_has_a_ceiling_for_its_memory(model: ModelInfo) -> None:
    limits: list[int] = []

    def child(assignment: protocol.Assignment) -> str:
        limits.append(assignment.memory_limit_bytes)
        return json.dumps([SIZE])

    request = asked(model)
    counts(child).of(request)
    limited = replace(request.slots[0], memory_limit_bytes=5_000_000)
    other = replace(request, conversation=Conversation.of("Why not?"), slots=[limited])
    counts(child).of(other)
    assert limits == [token_counts.MOST_MEMORY_BYTES, 5_000_000]


def test_nobody_is_asked_for_an_inferencer_of_ones_own_or_a_broken_model(model: ModelInfo) -> None:
    child = Child()
    of = counts(child).of
    custom = replace(model, model_type=ModelType.CUSTOM)
    broken = replace(model, config={"problem": "It is empty."})
    assert of(asked(custom)) == of(asked(broken)) == [None]
    assert of(replace(asked(model), factories=b"x")) == [None]
    assert child.asked == []


def test_a_text_is_counted_as_it_is(model: ModelInfo) -> None:
    child = Child()
    of_text = counts(child).of_text
    assert of_text(model, "") == 0
    assert of_text(model, "\x00\u200b\ud800") == 3
    (told,) = child.asked
    assert told["config"].prompt_format == "plain"
    assert told["conversations"][0].question == "\x00\u200b\ufffd"


def test_what_is_kept_is_bounded(model: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counts, "MOST_KEPT", 2)
    child = Child()
    of = counts(child).of
    for text in ("a", "b", "a", "c", "a"):
        of(asked(model, text))
    assert [one["conversations"][0].question for one in child.asked] == ["a", "b", "c"]
    of(asked(model, "b"))
    assert len(child.asked) == 4
