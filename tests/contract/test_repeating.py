"""A run can be repeated with what its record tells: the seed is always there."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.core.config import ModelConfig
from comparator.core.models import InferenceResult, ModelInfo
from comparator.library.changes import starter
from comparator.services.inference_engine import InferenceEngine

SETTINGS = {"max_tokens": 12, "temperature": 1.5, "n_threads": 1, "n_ctx": 512}


@pytest.fixture(params=["gguf_q8_0", "pytorch"])
def model(request: pytest.FixtureRequest, starter_models_dir: Path) -> ModelInfo:
    found = starter.install(starter_models_dir, lambda progress: None)
    return dict(zip(starter.PLACES, found, strict=True))[request.param]


def ask(model: ModelInfo, seed: int | None) -> InferenceResult:
    config = ModelConfig(seed=seed, **SETTINGS)
    *_, results = InferenceEngine().run_inference("Tell a story.", [model], {model.id: config})
    (result,) = results.values()
    assert result.error is None
    assert config.seed == seed  # the caller's own stays as it was
    return result


def test_the_recorded_seed_repeats_the_answer(model: ModelInfo) -> None:
    first = ask(model, None)
    seed = first.to_record()["config"]["seed"]
    assert isinstance(seed, int)
    again = ask(model, seed)
    assert again.content == first.content
    assert again.config["seed"] == seed
    other = ask(model, None)
    assert other.config["seed"] != seed
    assert other.content != first.content
