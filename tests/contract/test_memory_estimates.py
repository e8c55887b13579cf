"""What a run was expected to need is near what it took, is kept, and decides nothing wrongly.

The bound is wider than that of benchmarks/memory_estimate.py: other tests map the same libraries,
whose pages then count for none of them.
"""

from __future__ import annotations

import os
from collections import deque

import pytest
from cases import slow
from model_files import own_copy

from benchmarks import memory_models
from benchmarks.memory_models import Shape
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.memory.need import likely_tokens
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.measurements import Measurements

WITHIN = 0.25
GGUF = [
    (Shape("llama", "Q4_0"), 2048),  # which llama.cpp keeps in another order as well
    slow(Shape("qwen3", "F16"), 512),
    slow(Shape("gemma3", "Q8_0"), 8192),
    slow(Shape("gpt2", "F16"), 2048),
    slow(Shape("mamba", "F16"), 2048),
]


@pytest.fixture
def engine(tmp_path):
    measurements = Measurements(tmp_path / "measurements.sqlite3")
    yield InferenceEngine(measurements=measurements)
    measurements.close()


def check(engine, model: ModelInfo, config: ModelConfig, sentences: int = 2):
    """Run a model and compare; the estimate is also in the record and in the store."""
    prompt = "The keeper wrote down the wind and the tide. " * sentences
    (results,) = deque(engine.run_inference(prompt, [model], {model.id: config}), maxlen=1)
    result = results[model.id]
    assert result.error is None
    receipt = result.to_record()["receipt"]
    estimated, measured = receipt["estimated_bytes"], receipt["peak_bytes"]
    assert estimated == pytest.approx(measured, rel=WITHIN)
    kept = engine.measurements.of(model)
    assert (kept.estimated_bytes, kept.peak_bytes, kept.runs) == (estimated, measured, 1)
    assert receipt["estimated_device_bytes"] == 0


@pytest.mark.parametrize(("shape", "context"), GGUF, ids=lambda value: getattr(value, "number", ""))
def test_gguf_files(engine, tmp_path, shape, context):
    path = memory_models.write_gguf(tmp_path / f"{shape.architecture}.gguf", shape)
    model = ModelInfo("", path.stem, str(path), ModelType.GGUF, path.stat().st_size)
    check(engine, model, ModelConfig(n_ctx=context, max_tokens=16, temperature=0))


@pytest.mark.parametrize("key", ["gguf_q2_k", *(slow(k) for k in ("gguf_q8_0", "pytorch"))])
def test_starter_models(engine, starter_models, tmp_path, key):
    path = own_copy(starter_models[key], tmp_path)
    kind = ModelType.PYTORCH if path.is_dir() else ModelType.GGUF
    size = os.path.getsize(path / "model.safetensors" if path.is_dir() else path)
    model = ModelInfo("", path.name, str(path), kind, size)
    check(engine, model, ModelConfig(max_tokens=8, temperature=0))


def test_a_prompt_is_rather_thought_too_long():
    assert likely_tokens("") < 100
    text = "This is an ordinary sentence of English words. " * 20
    assert len(text) / 4.5 < likely_tokens(text) < len(text) / 2
    assert likely_tokens("字" * 100) >= 100
    assert likely_tokens("a" * 300, "b" * 300) == likely_tokens("a" * 600)
