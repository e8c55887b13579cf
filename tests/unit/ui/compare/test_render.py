"""From results to what the board shows."""

from __future__ import annotations

from typing import Any

from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    PromptReport,
    RunState,
)
from comparator.ui.compare import render

MODEL = ModelInfo("a", "Small\x1b model", "/nowhere.gguf", ModelType.GGUF, 98_362_432)


def _result(state: RunState, **values: Any) -> InferenceResult:
    stats = values.pop("stats", InferenceStats(start_time=0.0))
    return InferenceResult("a", "", False, None, stats, state=state, model=MODEL, **values)


def test_only_who_waits_has_a_place_in_line() -> None:
    shown = render.Shown()
    waiting = render.column(_result(RunState.WAITING), shown, "", position=3)
    loading = render.column(_result(RunState.LOADING, progress=0.4), shown, "", position=3)
    assert (waiting["state"], waiting["position"]) == ("waiting", 3)
    assert (loading["state"], loading["position"], loading["share"]) == ("loading", 0, 0.4)


def test_a_column_of_a_finished_run() -> None:
    stats = InferenceStats(
        start_time=0.0,
        end_time=2.0,
        token_count=64,
        tokens_per_second=31.96,
        memory_usage=412_000_000,
        load_seconds=0.4,
        time_to_first_token=0.512,
        finish_reason="length",
    )
    result = _result(
        RunState.DONE,
        stats=stats,
        config={"seed": 3, "stop": [], "max_tokens": None, "n_threads": None, "top_k": 20},
        config_sources={"seed": "drawn", "stop": "default", "top_k": "maker"},
        prompt=PromptReport("<|user|>hi", "gguf"),
        engine={
            "name": "llama.cpp",
            "device": "cpu",
            "dtype": "",
            "threads": 2,
            "way": "cached",
            "fallbacks": ["It is \x1b off."],
        },
    )
    result.is_complete = True
    column = render.column(result, render.Shown("an answer"), "GGUF · 98 MB")
    assert column["text"] == "an answer"
    assert column["name"] == "Small\\x1b model"
    assert column["kind"] == "GGUF · 98 MB"
    assert column["cut"]
    assert column["fallbacks"] == ["It is \\x1b off."]
    assert column["numbers"] == [
        ["first_token", 0.512],
        ["speed", 31.96],
        ["tokens", 64],
        ["peak_memory", 412_000_000],
        ["load", 0.4],
    ]
    assert column["details"] == [
        ["ran_on", {"name": "llama.cpp", "device": "cpu", "threads": 2, "way": "cached"}],
        ["prompt", "<|user|>hi"],
        ["template", "gguf"],
        [
            "settings",
            [["seed", "3", "drawn"], ["max_tokens", "null", ""], ["top_k", "20", "maker"]],
        ],
    ]


def test_a_failure_before_the_first_token_has_no_speed() -> None:
    stats = InferenceStats(start_time=0.0, end_time=1.0, tokens_per_second=0.0)
    assert render.numbers(_result(RunState.FAILED, stats=stats)) == []


def test_the_details_tell_what_it_got_of_the_processor_and_how_its_files_were() -> None:
    stats = InferenceStats(start_time=0.0, end_time=1.0, load_seconds=0.4, files_cached=1.0)
    stats.cpu_shares = {"load": 0.97, "prefill": None, "decode": 0.664}
    result = _result(RunState.DONE, stats=stats)
    result.is_complete, result.notice = True, "Other \x1b programs."
    column = render.column(result, render.Shown(), "")
    assert ["load", [0.4, 1.0]] in column["details"]
    assert ["processor", {"load": 0.97, "decode": 0.664}] in column["details"]
    assert column["notice"] == "Other \\x1b programs."
