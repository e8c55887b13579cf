"""The fake engine, in this process."""

from __future__ import annotations

import json
import time

import pytest

from comparator.core.exceptions import ConfigurationError, InferenceError, ModelLoadError
from runners.base import End, PromptTokens, TokenText
from runners.engines.echo_inferencer import EchoInferencer


@pytest.fixture
def loaded(tmp_path):
    def load(config=None, **script) -> EchoInferencer:
        path = tmp_path / "m.echo.json"
        path.write_text(json.dumps(script))
        engine = EchoInferencer()
        engine.load_model(str(path), config or {})
        return engine

    return load


def test_it_repeats_the_prompt_word_by_word(loaded):
    pieces = list(loaded().pieces("one  two\nthree"))
    assert pieces == [
        PromptTokens(3, "one  two\nthree", "none"),
        *(TokenText(text) for text in ("one  ", "two\n", "three")),
        End("stop"),
    ]


def test_the_text_and_its_length_are_of_choice(loaded):
    assert "".join(loaded(text="a b ", tokens=5).generate_stream("?")) == "a b a b a "
    assert "".join(loaded(tokens=0).generate_stream("x")) == ""


@pytest.mark.parametrize(("limit", "reason"), [(2, "length"), (3, "stop"), (9, "stop")])
def test_the_end_has_a_reason(loaded, limit, reason):
    *tokens, end = list(loaded({"max_tokens": limit}).pieces("a b c"))[1:]
    assert end == End(reason)
    assert len(tokens) == min(limit, 3)


def test_its_speed_is_of_choice(loaded):
    engine, begun = loaded(tokens=10, tokens_per_second=50), time.monotonic()
    list(engine.pieces("x"))
    assert time.monotonic() - begun >= 0.2


def test_loading_reports_progress(tmp_path):
    path, seen = tmp_path / "m.echo.json", []
    path.write_text('{"load_seconds": 0.1}')
    engine = EchoInferencer()
    engine.report_progress = lambda *step: seen.append(step)
    engine.load_model(str(path), {})
    assert len(seen) >= 3
    assert seen[-1] == ("weights", 1, 1)


def test_a_stop_between_tokens(loaded):
    engine = loaded(tokens=1000)
    engine.should_stop = lambda: True
    assert list(engine.pieces("a b"))[1:] == [TokenText("a "), End("cancelled")]


@pytest.mark.parametrize("content", ["{", "[]", "7", "\udcff"])
def test_a_file_that_is_no_script(tmp_path, content):
    path = tmp_path / "m.echo.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelLoadError, match="is not an echo model"):
        EchoInferencer().load_model(str(path), {})


def test_nothing_is_generated_before_the_load():
    with pytest.raises(InferenceError, match="Call load_model first"):
        list(EchoInferencer().generate_stream("x"))


def test_a_fault_is_met_where_it_was_asked_for(loaded):
    engine, told = loaded(fault="raise", fault_after=2), []
    with pytest.raises(RuntimeError, match="told to fail"):
        told.extend(iter_into(told, engine.generate_stream("a b c d")))
    assert told == ["a ", "b "]


def iter_into(told, pieces):
    for piece in pieces:
        told.append(piece)
    return []


def test_it_has_no_chat_template_that_could_be_told_to_think(loaded):
    with pytest.raises(ConfigurationError, match="does not know thinking=off: no chat template"):
        loaded({"thinking": "off"})
