"""A context that is to be as large as fits, and what the settings of a slot need of memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from gguf import GGUFWriter

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.memory import devices
from comparator.memory.context import said_of
from comparator.memory.fit import TIGHT_SHARE
from comparator.memory.need import VALUES_STAY, estimate
from comparator.services.memory_manager import MemoryManager

OWN, TOKEN_BYTES = 131_072, 24 * 2 * 3 * 64 * 2  # of keys and values in 16 bits
ALL = ModelConfig(n_ctx=None, max_tokens=None)


def model_of(path: Path, context: int | None = OWN) -> ModelInfo:
    """A header of 24 layers with 3 KV heads of 64."""
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(24)
    if context:
        writer.add_context_length(context)
    writer.add_embedding_length(576)
    writer.add_head_count(9)
    writer.add_head_count_kv(3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return ModelInfo("", path.stem, str(path), ModelType.GGUF, 98_000_000)


@pytest.fixture
def model(tmp_path: Path) -> ModelInfo:
    return model_of(tmp_path / "m.gguf")


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> MemoryManager:
    monkeypatch.setattr(devices, "can_use_device", lambda _kind: False)
    return MemoryManager()


def with_room(manager: MemoryManager, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "available_bytes", lambda *_arguments: int(size))


def test_it_is_the_models_own_where_memory_has_room(
    manager: MemoryManager, model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_room(manager, 100e9, monkeypatch)
    plan = manager.plan([model, model], [ALL, ModelConfig()])
    assert plan.contexts == (OWN, 2048)
    assert said_of(model, ALL, plan.needs[0], OWN) == ""


@pytest.mark.parametrize("gigabytes", [0.3, 0.5, 1.0, 2.0])
def test_else_it_is_the_largest_step_that_fits_and_it_is_said(
    manager: MemoryManager, model: ModelInfo, monkeypatch: pytest.MonkeyPatch, gigabytes: float
) -> None:
    with_room(manager, gigabytes * 1e9, monkeypatch)
    plan = manager.plan([model], [ALL])
    (context,) = plan.contexts
    assert context is not None
    assert context % 256 == 0
    assert 512 < context < OWN
    assert plan.refusals == (None,)
    larger = manager.estimate(model, replace(ALL, n_ctx=context + 256))
    assert plan.needs[0].host <= gigabytes * 1e9 * TIGHT_SHARE < larger.host
    said = said_of(model, ALL, plan.needs[0], context)
    assert said.startswith(f"Its context is {context} tokens of the {OWN} that it was made for")


def test_where_not_even_a_small_one_fits_the_run_is_refused(
    manager: MemoryManager, model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_room(manager, 50e6, monkeypatch)
    plan = manager.plan([model], [ALL])
    assert plan.contexts == (512,)
    assert "Cannot run" in (plan.refusals[0] or "")


def test_models_that_run_together_share_what_is_left(
    manager: MemoryManager, model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_room(manager, 2e9, monkeypatch)
    in_turn = manager.plan([model, model], [ALL, ALL])
    together = manager.plan([model, model], [ALL, ALL], together=True)
    assert together.order == "together"
    first, second = together.contexts
    assert first == second
    assert first is not None
    assert 512 < first < (in_turn.contexts[0] or 0)


def test_smaller_numbers_of_the_cache_leave_room_for_more(
    manager: MemoryManager, model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_room(manager, 1e9, monkeypatch)
    configs = [replace(ALL, kv_cache_type=name) for name in ("f16", "q8_0", "q4_0")]
    f16, q8_0, q4_0 = (manager.plan([model], [config]).contexts[0] or 0 for config in configs)
    assert f16 < q8_0 < q4_0


def test_of_a_model_that_does_not_say_the_usual_one_is_taken(
    manager: MemoryManager, tmp_path: Path
) -> None:
    untold = model_of(tmp_path / "untold.gguf", context=None)
    own = ModelInfo("", "own", "/nowhere", ModelType.CUSTOM, 1)
    assert manager.plan([untold, own], [ALL, ALL]).contexts == (2048, None)


def test_a_cache_of_smaller_numbers_is_counted_as_such(model: ModelInfo) -> None:
    f16, q8_0, q4_0 = (
        estimate(model, ModelConfig(kv_cache_type=name)) for name in ("f16", "q8_0", "q4_0")
    )
    assert f16.key_value_cache == 2048 * TOKEN_BYTES
    assert q8_0.key_value_cache == 2048 * TOKEN_BYTES * 34 // 64
    assert q4_0.key_value_cache == 2048 * TOKEN_BYTES * 18 // 64
    assert f16.total - q8_0.total == f16.key_value_cache - q8_0.key_value_cache
    keys_alone = estimate(
        model, ModelConfig(kv_cache_type="q8_0"), figures={VALUES_STAY: 1.0}
    )  # without flash attention
    assert keys_alone.key_value_cache == 2048 * TOKEN_BYTES * (34 + 64) // 128
    said = said_of(model, ModelConfig(kv_cache_type="q8_0"), q8_0, 2048)
    assert said == "Its KV cache as q8_0 takes about 20 MB, 18 MB less than as f16."


def test_an_answer_without_a_limit_may_fill_the_context(tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "hidden_size": 576,
        "max_position_embeddings": 1024,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = ModelInfo("", "t", str(tmp_path), ModelType.PYTORCH, 1)
    few, limitless = (
        estimate(model, ModelConfig(max_tokens=most), prompt_tokens=10) for most in (20, None)
    )
    assert few.key_value_cache < limitless.key_value_cache
    whole = estimate(model, ModelConfig(max_tokens=None))
    assert limitless.key_value_cache == whole.key_value_cache
    assert estimate(model, ALL, prompt_tokens=10).key_value_cache == whole.key_value_cache
