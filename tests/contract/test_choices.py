"""Both engines keep an answer to a few texts, whatever they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from runners import registry
from runners.base import End, TokenText

QUESTION = "Tell me a long story about the sea."


@pytest.fixture(params=["llama_cpp", "xllamacpp", "pytorch"])
def loaded(request: pytest.FixtureRequest, starter_models: Any, monkeypatch: Any) -> Iterator[Any]:
    kind, key = request.param, "pytorch"
    if kind != "pytorch":
        pytest.importorskip(kind)
        monkeypatch.setenv(registry.CHOICE, kind)
        kind, key = "gguf", "gguf_q2_k"
    inferencer = registry.create_inferencer(kind)
    config = ModelConfig(max_tokens=12, n_ctx=256, n_threads=1, do_sample=True, temperature=2.0)
    inferencer.load_model(starter_models[key], config)
    yield inferencer
    inferencer.unload_model()


def said(inferencer: Any, choices: tuple[str, ...]) -> tuple[str, str]:
    inferencer.choices = choices
    _prompt, *tokens, end = inferencer.pieces(QUESTION)
    assert isinstance(end, End)
    texts = [token.text for token in tokens if isinstance(token, TokenText)]
    return "".join(texts) + end.text, end.reason


def test_an_answer_is_one_of_the_choices_and_ends_when_it_is_whole(loaded):
    for choices in [("A", "B", "C"), ("Antarctica, for sure", "Bolivia"), ("是", "不是")]:
        text, reason = said(loaded, choices)
        assert text.strip() in choices
        assert reason == "stop"


def test_one_choice_is_said_whatever_the_model_would_like(loaded):
    assert said(loaded, ("Zanzibar 47!",))[0].strip() == "Zanzibar 47!"


def test_of_a_choice_that_begins_another_either_may_come(loaded):
    text, reason = said(loaded, ("no", "no way at all"))
    assert text.strip() in ("no", "no way at all")
    assert reason == "stop"
    free, _ = said(loaded, ())
    assert free.strip() not in ("no", "no way at all")
