"""Our side as a library: ``InferenceEngine`` in a script. See ``lines.py`` for the lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lines

import comparator
from comparator import InferenceEngine, ModelConfig
from comparator.core.exceptions import ModelNotFoundError
from comparator.core.models import InferenceResult, ModelInfo
from comparator.library.discovery import inspect


def round_with(engine: InferenceEngine) -> Any:
    """Return a round that asks all models in one comparison."""

    def round_of(models: list[str], prompt: str, tokens: int) -> list[lines.Figures]:
        found = [_model(path) for path in models]
        config = ModelConfig(max_tokens=tokens, do_sample=False, repeat_penalty=1.0)
        configs = {model.id: config for model in found}
        *_, results = engine.run_inference(prompt, found, configs)
        return [_figures(result) for result in results.values()]

    return round_of


def _model(path: str) -> ModelInfo:
    model = inspect(Path(path))
    if model is None:
        raise ModelNotFoundError(f"There is no model at {path}.")
    return model


def _figures(result: InferenceResult) -> lines.Figures:
    if result.error:
        raise RuntimeError(f"{result.model_id}: {result.error}")
    if result.fallbacks:  # figures of a slower way would be taken for ours
        raise RuntimeError(f"{result.model_id} fell back: {' '.join(result.fallbacks)}")
    stats = result.stats
    return {
        "load_seconds": stats.load_seconds,
        "first_token_seconds": stats.time_to_first_token,
        "seconds": stats.duration,
        "tokens": stats.token_count,
        "prompt_tokens": stats.prompt_tokens,
        "tokens_per_second": stats.tokens_per_second,
        "device_bytes": stats.device_memory_usage,
        "disturbed": stats.disturbed,
    }


def main() -> None:
    """Answer rounds, then end the fork servers."""
    engine = InferenceEngine()
    try:
        lines.serve(round_with(engine), {"multi-llm-comparator": comparator.__version__})
    finally:
        engine.cleanup_resources()


if __name__ == "__main__":
    main()
