"""Whole small models to spoil, and one question to a bad model beside a healthy one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import model_files
import pytest
from bad_models import Workshop

from comparator.core.config import ModelConfig
from comparator.core.models import InferenceResult, ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from runners.process import Deadlines


@pytest.fixture(scope="session")
def whole_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_files.write_directory(tmp_path_factory.mktemp("whole") / "tiny")


@pytest.fixture(scope="session")
def whole_gguf(tmp_path_factory: pytest.TempPathFactory, whole_folder: Path) -> Path:
    return model_files.write_gguf(tmp_path_factory.mktemp("whole") / "tiny.gguf", whole_folder)


@pytest.fixture
def shop(tmp_path: Path, whole_folder: Path, whole_gguf: Path) -> Workshop:
    return Workshop(tmp_path, whole_folder, whole_gguf)


@pytest.fixture(scope="session")
def engine() -> Iterator[InferenceEngine]:
    """One application that meets all bad inputs, one after another."""
    engine = InferenceEngine(deadlines=Deadlines(60, 60, 60, 90))
    yield engine
    engine.cleanup_resources()


@pytest.fixture
def healthy(tmp_path: Path) -> ModelInfo:
    path = tmp_path / "healthy.echo.json"
    path.write_text(json.dumps({}))
    return ModelInfo("", "healthy", str(path), ModelType.ECHO, 2)


@pytest.fixture
def ask(engine: InferenceEngine, healthy: ModelInfo) -> Callable[..., InferenceResult]:
    """Ask a model with a healthy one after it, which must answer whatever the first does."""

    def run(model: ModelInfo, prompt: str = "aaab cd", **settings: Any) -> InferenceResult:
        values = {"max_tokens": 3, "do_sample": False, "n_threads": 1, **settings}
        configs = {model.id: ModelConfig(**values)}
        *_, last = engine.run_inference(prompt, [model, healthy], configs)
        result, other = last.values()
        assert (other.content, other.error) == (prompt, None)
        assert engine.active_inferencers == {}
        return result

    return run


@pytest.fixture
def sentence() -> Callable[[InferenceResult], str]:
    """Return what a failed column says, after checking that it is a sentence for people."""
    return checked_sentence


def checked_sentence(result: InferenceResult) -> str:
    said = result.error
    assert result.is_complete
    assert said
    assert said.rstrip().endswith((".", "?", "tokens")), said
    for forbidden in ("Traceback", "weights_only", "\x1b", "\x00"):
        assert forbidden not in said
    assert result.stats.end_time is not None
    assert isinstance(result.stats.tokens_per_second, float)
    return said
