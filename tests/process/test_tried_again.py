"""A child that dies before its first token is tried once more with safe settings, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Advice, Lesson
from comparator.core.models import InferenceResult, ModelInfo
from comparator.services.inference_engine import InferenceEngine
from runners import protocol, registry, safe_settings

PATIENCE_SECONDS = 120.0
BEST, SAFE = {"fast": True, "threads": None}, {"fast": False, "threads": None}


@pytest.fixture(autouse=True)
def echo_has_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the echo engine have settings, so that there are safer ones."""
    engine = replace(registry.ENGINES["echo"], trial=(BEST, SAFE))
    monkeypatch.setitem(registry.ENGINES, "echo", engine)


def heal(model: ModelInfo) -> Callable[[protocol.Message], None]:
    """Return what makes a model healthy as soon as a second attempt is told."""

    def receive(message: protocol.Message) -> None:
        if isinstance(message, protocol.FellBack):
            Path(model.path).write_text(json.dumps({}))

    return receive


def fell_back(played: Any) -> list[protocol.FellBack]:
    return [m for m in played.messages if isinstance(m, protocol.FellBack)]


@pytest.mark.parametrize("stage", ["load", "prompt", "generate"])
@pytest.mark.parametrize("fault", ["sigsegv", "abort"])
def test_a_death_before_the_first_token_is_evaded(echo_model, play, fault, stage):
    model = echo_model(fault=fault, fault_stage=stage)
    played = play(model, receiver=heal(model))
    assert isinstance(played.final, protocol.Finished)
    assert played.text == "one two three four"
    (told,) = fell_back(played)
    assert told.again
    assert "so this model was loaded once more with the safest settings" in told.sentences[0]
    assert {"sigsegv": "SIGSEGV", "abort": "SIGABRT"}[fault] in told.sentences[0]
    assert played.run.assignment.verdict["settings"] == SAFE
    assert played.run.evaded_crash in told.sentences[0]


def test_a_second_death_is_told_as_the_first_and_nothing_is_learned(echo_model, play):
    played = play(echo_model(fault="sigsegv", fault_stage="prompt"))
    assert isinstance(played.final, protocol.Crashed)
    assert played.final.stage == "prompt"
    assert "SIGSEGV" in played.final.cause
    assert len(fell_back(played)) == 1
    assert played.run.evaded_crash is None


@pytest.mark.parametrize(
    "script",
    [
        {"fault": "sigsegv", "fault_after": 1},
        {"fault": "sigkill", "fault_stage": "load"},
        {"fault": "exit_3", "fault_stage": "load"},
        {"fault": "raise", "fault_stage": "load"},
        {"fault": "memory", "fault_stage": "load"},
    ],
    ids=lambda script: f"{script['fault']}-{script.get('fault_stage', 'a token')}",
)
def test_any_other_end_is_told_at_once(echo_model, play, script):
    assert fell_back(play(echo_model(**script))) == []


def test_with_factories_of_ones_own_nothing_is_tried_again(echo_model, play):
    model = echo_model(fault="sigsegv", fault_stage="load")
    assert fell_back(play(model, factories=(lambda _model: None,))) == []


def test_an_engine_without_settings_is_not_tried_again(echo_model, play, monkeypatch):
    engine = replace(registry.ENGINES["echo"], trial=())
    monkeypatch.setitem(registry.ENGINES, "echo", engine)
    assert fell_back(play(echo_model(fault="sigsegv", fault_stage="load"))) == []


def test_a_stop_during_the_second_attempt_stops(echo_model, begin, wait_until):
    model = echo_model(fault="sigsegv", fault_stage="load")

    def receive(message: protocol.Message) -> None:
        if isinstance(message, protocol.FellBack):
            Path(model.path).write_text(json.dumps({"load_seconds": 60}))

    played = begin(model, receiver=receive)
    wait_until(lambda: fell_back(played))
    played.run.stop()
    assert isinstance(played.to_end().final, protocol.Cancelled)
    assert played.run.evaded_crash is None


def compared(model: ModelInfo, settings: dict[str, Any]) -> tuple[InferenceResult, list[Lesson]]:
    """Return a comparison's result and lessons, where a trial had found these settings."""
    comparison = Comparison(InferenceEngine().request("one two", [model]))
    lessons: list[Lesson] = []
    comparison.advise = lambda _slot, _stop: Advice({"settings": settings}, ("It is slow.",))
    comparison.on_lesson = lambda _slot, lesson: lessons.append(lesson)
    comparison.start()
    while not comparison.is_complete:
        comparison.drain(0.1)
    assert comparison.join(PATIENCE_SECONDS)
    return comparison.result(0), lessons


def test_the_result_says_so_and_a_lesson_is_learned(echo_model, monkeypatch):
    model = echo_model(fault="sigsegv", fault_stage="load")
    words = safe_settings.again

    def again(kind: str, cause: str) -> str:
        Path(model.path).write_text("{}")  # healthy before the second attempt
        return words(kind, cause)

    monkeypatch.setattr(safe_settings, "again", again)
    result, (lesson,) = compared(model, BEST)
    assert (result.error, result.content) == (None, "one two")
    first, second = result.to_record()["engine"]["fallbacks"]
    assert first == "It is slow."
    assert second.startswith("echo died by SIGSEGV while it loaded, so this model was loaded once")
    assert lesson.crash == "echo died by SIGSEGV while it loaded"
    assert lesson.verdict["settings"] == SAFE


def test_one_that_was_safe_already_is_not_tried_again(echo_model):
    result, lessons = compared(echo_model(fault="sigsegv", fault_stage="load"), SAFE)
    assert (result.error_kind, result.fallbacks, lessons) == ("crashed", ["It is slow."], [])


def test_advice_that_fails_costs_no_run(echo_model, caplog):
    comparison = Comparison(InferenceEngine().request("one two", [echo_model(), echo_model("b")]))

    def fail(_slot: Any, _stop: Any) -> Advice:
        raise RuntimeError("no advice")

    comparison.advise = fail
    comparison.start()
    while not comparison.is_complete:
        comparison.drain(0.1)
    assert comparison.join(PATIENCE_SECONDS)
    assert [result.content for result in comparison.results()] == ["one two", "one two"]
    assert "There is no verdict for" in caplog.text
