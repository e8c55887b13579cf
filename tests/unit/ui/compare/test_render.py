"""From results to what the board shows."""

from __future__ import annotations

from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("result", "position", "words"),
    [
        (_result(RunState.WAITING), 0, "waiting"),
        (_result(RunState.WAITING), 3, "waiting, number 3 in line"),
        (_result(RunState.LOADING, progress=0.4), 0, "loading 40 %"),
        (_result(RunState.LOADING), 0, "loading"),
        (
            _result(RunState.READING, stats=InferenceStats(0.0, prompt_tokens=12)),
            0,
            "reading the prompt, 12 tokens",
        ),
        (_result(RunState.WRITING), 0, "writing"),
        (_result(RunState.STOPPED), 0, "stopped"),
    ],
)
def test_states_in_words(result: InferenceResult, position: int, words: str) -> None:
    assert render.state_words(result, position) == words


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
    column = render.column(result, "an answer", "GGUF · 98 MB")
    assert column["text"] == "an answer"
    assert column["name"] == "Small\\x1b model"
    assert column["kind"] == "GGUF · 98 MB"
    assert column["cut"]
    assert column["fallbacks"] == ["It is \\x1b off."]
    assert column["numbers"] == [
        ["First token", "0.51 s"],
        ["Speed", "32.0 tok/s"],
        ["Tokens", "64"],
        ["Peak memory", "412 MB"],
        ["Load", "0.40 s"],
    ]
    assert column["details"] == [
        ["Ran on", "llama.cpp, cpu, 2 threads, decoding: cached"],
        ["Prompt as sent", "<|user|>hi"],
        ["Template", "chat template of the GGUF file"],
        ["Settings", "seed = 3 (drawn)\nmax_tokens = null\ntop_k = 20 (maker)"],
    ]


def test_a_failure_before_the_first_token_has_no_speed() -> None:
    stats = InferenceStats(start_time=0.0, end_time=1.0, tokens_per_second=0.0)
    assert render.numbers(_result(RunState.FAILED, stats=stats)) == []


def test_the_details_tell_what_it_got_of_the_processor_and_how_its_files_were() -> None:
    stats = InferenceStats(start_time=0.0, end_time=1.0, load_seconds=0.4, files_cached=1.0)
    stats.cpu_shares = {"load": 0.97, "prefill": None, "decode": 0.664}
    result = _result(RunState.DONE, stats=stats)
    result.is_complete, result.notice = True, "Other \x1b programs."
    column = render.column(result, "", "")
    assert ["Load", "0.40 s, files 100 % cached"] in column["details"]
    assert [
        "Processor",
        "Of the time that it asked for it got 97 % loading, 66 % writing",
    ] in column["details"]
    assert column["notice"] == "Other \\x1b programs."
