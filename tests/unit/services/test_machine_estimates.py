"""Estimates of memory follow what the trial and earlier runs have shown on this machine.

llama.cpp keeps Q8_0 in tiles for AMX: 608 bytes for 512 weights. Measured on an Intel processor
with a model of 134.5 million weights: 211 MB told by the table alone, 364 MB taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.values import ModelFacts
from comparator.memory import need as memory_need
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from comparator.storage.measurements import Measured, Measurements

AMX = {"repacked bits of Q8_0": 9.5, "repacked bits of Q4_K": 4.9}
WEIGHTS, FILE_BYTES, TAKEN = 134_515_008, 144_810_000, 364_000_000
PROMPT_TOKENS = 30
FACTS = ModelFacts(
    parameters=WEIGHTS,
    tensor_types={"Q8_0": 0.9997, "F32": 0.0003},
    layers=30,
    context_length=8192,
    embedding_length=576,
    vocabulary_size=49_152,
    cache_layers=((23_040, 0),),
)
MODEL = ModelInfo("", "m", "m.gguf", ModelType.GGUF, FILE_BYTES)


@pytest.fixture(autouse=True)
def facts(monkeypatch):
    """The starter model in Q8_0, on a processor for which the table has nothing of Q8_0."""
    monkeypatch.setattr(memory_need, "facts_of", lambda _model: FACTS)
    monkeypatch.setattr(memory_need, "_repacked_bits", lambda: {"Q4_0": 4.5})


def need_of(figures=None, measured=None):
    manager = MemoryManager()
    manager.learn_from(lambda _kind: figures or {}, lambda _model: measured)
    return manager.estimate(MODEL, ModelConfig(), PROMPT_TOKENS)


def last_run(peak: int, estimated: int) -> Measured:
    return Measured(0.0, None, 1, peak, estimated)


def test_without_a_trial_the_table_counts():
    assert need_of().droppable == 0
    assert need_of().peak == pytest.approx(211_000_000, rel=0.05)


def test_what_the_trial_saw_repacked_counts_twice():
    need = need_of(AMX)
    assert need.droppable == pytest.approx(WEIGHTS * 9.5 / 8, rel=0.001)
    assert need.peak == pytest.approx(TAKEN, rel=0.15)


def test_where_the_trial_saw_nothing_repacked_nothing_is(monkeypatch):
    monkeypatch.setattr(memory_need, "_repacked_bits", lambda: {"Q8_0": 8.5, "MXFP4": 4.25})
    assert need_of().droppable > 0
    assert need_of({"repacked bits of Q8_0": 0.0}).droppable == 0
    assert memory_need._repacked_here({"repacked bits of Q8_0": 0.0}) == {}


def test_what_the_trial_does_not_try_is_as_in_the_table():
    assert memory_need._repacked_here(AMX)["Q4_0"] == 4.5
    assert memory_need._repacked_here({"repacked bits of Q4_0": 0.0, **AMX})["Q4_0"] == 0.0


def test_the_last_run_raises_the_estimate_to_what_it_took():
    plain = need_of()
    raised = need_of(measured=last_run(TAKEN, plain.peak))
    assert raised.peak == TAKEN
    assert (raised.host, raised.total) == (plain.host, plain.total)


def test_a_reason_that_is_known_by_now_is_not_counted_twice():
    assert need_of(AMX, last_run(TAKEN, need_of().peak)).surplus == 0


@pytest.mark.parametrize("peak", [1, 150_000_000, 215_000_000])
def test_a_run_that_took_less_or_little_more_changes_nothing(peak):
    assert need_of(measured=last_run(peak, 211_000_000)) == need_of()


@pytest.mark.process
def test_an_engine_keeps_what_was_expected_by_the_facts_alone(tmp_path, echo_model):
    """Else the next estimate would find nothing to correct, and the one after it again."""
    store = Measurements(tmp_path / "measurements.sqlite3")
    engine, model = InferenceEngine(measurements=store), echo_model()
    (first,) = deque(engine.run_inference("a", [model]), maxlen=1)
    plain = store.of(model).estimated_bytes
    (result,) = first.values()
    stats = replace(result.stats, memory_usage=4 * plain)
    store.add(replace(result, stats=stats), plain)
    (second,) = deque(engine.run_inference("a", [model]), maxlen=1)
    (told,) = second.values()
    assert told.receipt["estimated_bytes"] == 4 * plain
    assert store.of(model).estimated_bytes == plain
    engine.cleanup_resources()
    store.close()


@pytest.mark.parametrize(
    ("stored", "figures", "growth"),
    [
        ("bfloat16", {}, 1.0),
        ("bfloat16", {"loaded bytes of bfloat16": 2.0}, 1.0),
        ("bfloat16", {"loaded bytes of bfloat16": 4.0}, 2.0),
        ("float16", {}, 2.0),
        ("float16", {"loaded bytes of float16": 2.0}, 1.0),
    ],
)
def test_weights_that_are_loaded_as_wider_numbers_take_more(monkeypatch, stored, figures, growth):
    model = ModelInfo("", "m", "m", ModelType.PYTORCH, FILE_BYTES)
    monkeypatch.setattr(memory_need, "facts_of", lambda _m: replace(FACTS, quantisation=stored))
    manager = MemoryManager()
    manager.learn_from(lambda _kind: figures, lambda _model: None)
    assert manager.estimate(model, ModelConfig(), PROMPT_TOKENS).weights == pytest.approx(
        FILE_BYTES * growth, rel=0.1
    )
