"""Kept comparisons for tests: records as a run writes them, without a run."""

from __future__ import annotations

from typing import Any

from comparator.comparison.kept import KeptComparison
from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelConfig,
    ModelInfo,
    ModelType,
    PromptReport,
    RunState,
    Thinking,
)


def result(
    content: str = "An answer.",
    name: str = "first",
    question: str = "Why?",
    path: str = "/home/somebody/models/first.gguf",
    seed: int = 7,
    **changes: Any,
) -> InferenceResult:
    """Return a finished result; ``changes`` are fields of it, ``config`` of its settings."""
    config = {**vars(ModelConfig(seed=seed)), **changes.pop("config", {})}
    stats = InferenceStats(
        1_795_000_000.0,
        1_795_000_002.5,
        token_count=3,
        tokens_per_second=20.5,
        memory_usage=123_000_000,
        load_seconds=0.5,
        time_to_first_token=0.75,
        prompt_tokens=11,
        finish_reason=changes.pop("finish_reason", "stop"),
    )
    usual: dict[str, Any] = {
        "state": RunState.DONE,
        "model": ModelInfo(changes.pop("model_id", "m1"), name, path, ModelType.GGUF, 42),
        "config": config,
        "config_sources": {"seed": "given"},
        "prompt": PromptReport(
            f"<|user|>{question}", "gguf", messages=[{"role": "user", "content": question}]
        ),
        "engine": {"name": "llama.cpp (x 1.0)", "device": "cpu", "threads": 2, "fallbacks": []},
    }
    values: dict[str, Any] = {"error": None, **usual, **changes}
    return InferenceResult(model_id="m1", content=content, is_complete=True, stats=stats, **values)


def thought(text: str) -> Thinking:
    """Return what a model thought."""
    return Thinking(text, 5, 1.5)


def kept_of(*results: InferenceResult, **changes: Any) -> KeptComparison:
    """Return a kept comparison of these results."""
    records = [{**one.to_record(), "comparison": "abcdef012345"} for one in results]
    values = {"id": "abcdef012345", "created": 1_795_000_000.0, "records": records, **changes}
    return KeptComparison(**values)
