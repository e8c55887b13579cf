"""What DESIGN promises of runs of the real engines: ended at once, nothing kept, repeatable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from bounds import Bounds

from comparator.comparison.comparison import Comparison
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, RunState
from comparator.library.changes import starter
from comparator.services.inference_engine import InferenceEngine
from runners import registry
from runners.supervision.fork_server import fork_servers

# 0.5 s is promised on an idle machine; neighbours may hold both cores here.
STOP_SECONDS = 1.5
KEPT_BYTES = 5_000_000
THREADS = 1


@pytest.fixture(scope="module")
def models(starter_models_dir: Path) -> dict[str, ModelInfo]:
    found = starter.install(starter_models_dir, lambda progress: None)
    return dict(zip(starter.PLACES, found, strict=True))


@pytest.fixture
def engine() -> Iterator[InferenceEngine]:
    engine = InferenceEngine()
    yield engine
    for comparison in list(engine.active_inferencers.values()):
        engine.finish(comparison)


def wait_for(comparison: Comparison, states: set[RunState]) -> None:
    end = time.monotonic() + 120
    while comparison.result(0).state not in states:
        assert time.monotonic() < end, f"still {comparison.result(0).state}"
        comparison.take_one(0.05)


@pytest.fixture(params=["llama_cpp", "xllamacpp"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One of the packages that bring llama.cpp, with fork servers of its own."""
    pytest.importorskip(request.param)
    fork_servers.close()
    monkeypatch.setenv(registry.CHOICE, request.param)
    yield request.param
    fork_servers.close()


def test_a_forked_child_generates_with_the_library_that_was_chosen(
    engine: InferenceEngine, models: dict[str, ModelInfo], library: str
) -> None:
    model = models["gguf_q4_1"]
    configs = {model.id: ModelConfig(max_tokens=6, seed=1, n_threads=2)}
    answers = []
    for _ in range(2):
        *_, results = engine.run_inference("Hello", [model], configs)
        (result,) = results.values()
        assert result.error is None
        assert result.stats.token_count == 6
        answers.append(result.content)
        package = {"llama_cpp": "llama-cpp-python"}.get(library, library)
        assert result.to_record()["engine"]["name"].startswith(f"llama.cpp ({package} ")
    assert answers == [answers[0]] * 2


def test_stopping_the_prebuilt_library_gives_everything_back_at_once(
    engine: InferenceEngine, models: dict[str, ModelInfo], bounds: Bounds, library: str
) -> None:
    test_stop_gives_everything_back_at_once(engine, models, bounds, "gguf_q8_0", RunState.WRITING)


@pytest.mark.parametrize("kind", ["gguf_q8_0", "pytorch"])
@pytest.mark.parametrize("state", [RunState.LOADING, RunState.WRITING])
def test_stop_gives_everything_back_at_once(
    engine: InferenceEngine,
    models: dict[str, ModelInfo],
    bounds: Bounds,
    kind: str,
    state: RunState,
) -> None:
    config = {models[kind].id: ModelConfig(max_tokens=2000, n_threads=THREADS)}
    comparison = engine.compare(engine.request("Write a long story.", [models[kind]], config))
    wait_for(comparison, {state, RunState.READING, RunState.WRITING})
    pids = comparison.pids()
    began = time.monotonic()
    comparison.stop()
    assert comparison.wait_until_ended(60)
    assert bounds.under(time.monotonic() - began, STOP_SECONDS)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    comparison.drain()
    result = comparison.result(0)
    assert result.state is RunState.STOPPED
    assert result.stats.finish_reason == "cancelled"


def test_a_comparison_of_both_engines_leaves_nothing(
    engine: InferenceEngine, models: dict[str, ModelInfo], bounds: Bounds
) -> None:
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    chosen = [models["pytorch"], models["gguf_q4_1"]]
    configs = {m.id: ModelConfig(max_tokens=4, seed=1, n_threads=THREADS) for m in chosen}
    answers = []
    kept = 0
    for number in range(4):
        *_, results = engine.run_inference("Hello", chosen, configs)
        assert [result.error for result in results.values()] == [None, None]
        answers.append([result.content for result in results.values()])
        if number == 0:  # the first one imports and warms up
            kept = psutil.Process().memory_full_info().uss
    assert answers == [answers[0]] * 4
    assert bounds.under(psutil.Process().memory_full_info().uss - kept, KEPT_BYTES)
    left = {p.pid for p in psutil.Process().children(recursive=True)} - before
    assert not left - set(fork_servers.pids())


def test_the_result_says_what_answered_and_what_was_sent(
    engine: InferenceEngine, models: dict[str, ModelInfo]
) -> None:
    chosen = [models["pytorch"], models["gguf_q4_1"]]
    configs = {
        m.id: ModelConfig(max_tokens=3, n_threads=THREADS, system_prompt="Be brief.")
        for m in chosen
    }
    *_, results = engine.run_inference("你好", chosen, configs)
    torch_result, gguf_result = results.values()
    assert torch_result.prompt.template_source == "tokenizer"
    assert gguf_result.prompt.template_source == "gguf"
    assert torch_result.prompt.rendered == gguf_result.prompt.rendered
    for result in (torch_result, gguf_result):
        assert "Be brief." in result.prompt.rendered
        assert "你好" in result.prompt.rendered
        assert result.engine["threads"] == THREADS
        assert result.engine["context_length"] == 2048
        assert result.config["max_tokens"] == 3
        assert result.stats.token_count == 3
        assert result.stats.finish_reason == "length"
        assert result.stats.memory_usage > 0
        assert result.stats.prompt_tokens > 5
        assert 0 < result.stats.load_seconds < result.stats.time_to_first_token
        assert result.stats.time_to_first_token < result.stats.duration
