"""What a model needs, what there is, and who may run."""

from __future__ import annotations

import json
import struct

import psutil
import pytest
from gguf import GGUFWriter

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.services import memory_manager
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import ENGINE_BYTES, MemoryManager
from comparator.services.model_facts import facts_of

GIGABYTE = 10**9


@pytest.fixture
def gguf_model(tmp_path):
    """A header of 24 layers, 3 KV heads of 64, context 8192."""
    path = tmp_path / "m.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(24)
    writer.add_context_length(8192)
    writer.add_embedding_length(576)
    writer.add_head_count(9)
    writer.add_head_count_kv(3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return ModelInfo("", "m", str(path), ModelType.GGUF, 98_000_000)


@pytest.fixture
def directory_model(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    config = {
        "model_type": "llama",
        "dtype": "bfloat16",
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "hidden_size": 576,
        "max_position_embeddings": 1024,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return ModelInfo("", "t", str(folder), ModelType.PYTORCH, 270_000_000)


def model_of(size: int) -> ModelInfo:
    return ModelInfo("", "big", "/nowhere", ModelType.CUSTOM, size)


class TestEstimate:
    def test_weights_cache_and_engine(self, gguf_model):
        need = MemoryManager().estimate(gguf_model, ModelConfig(n_ctx=4096))
        per_token = 2 * 24 * 3 * 64 * 2
        assert need.weights == 98_000_000
        assert need.key_value_cache == 4096 * per_token
        assert need.engine == ENGINE_BYTES[ModelType.GGUF]
        assert need.total == need.weights + need.key_value_cache + need.engine

    def test_the_context_is_not_longer_than_the_models(self, directory_model):
        need = MemoryManager().estimate(directory_model, ModelConfig(n_ctx=16_777_216))
        assert need.key_value_cache == 1024 * 2 * 30 * 3 * 64 * 2

    @pytest.mark.parametrize(
        ("dtype", "factor"), [("auto", 1), ("bfloat16", 1), ("float16", 1), ("float32", 2)]
    )
    def test_another_number_type_changes_the_weights(self, directory_model, dtype, factor):
        need = MemoryManager().estimate(directory_model, ModelConfig(torch_dtype=dtype))
        assert need.weights == 270_000_000 * factor

    @pytest.mark.parametrize("value", ["8192", [1], True, -5, 0.5])
    def test_facts_of_the_wrong_type_are_no_facts(self, tmp_path, value):
        path = tmp_path / "odd.gguf"
        writer = GGUFWriter(path, "llama")
        if isinstance(value, str):
            writer.add_string("llama.context_length", value)
            writer.add_string("llama.block_count", value)
        elif isinstance(value, bool):
            writer.add_bool("llama.context_length", value)
        elif isinstance(value, list):
            writer.add_array("llama.attention.head_count", value)
        elif isinstance(value, int):
            writer.add_int32("llama.context_length", value)
        else:
            writer.add_float32("llama.context_length", value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        model = ModelInfo("", "odd", str(path), ModelType.GGUF, 5)
        assert MemoryManager().estimate(model).weights == 5
        assert facts_of(model).context_length is None

    def test_an_architecture_that_is_no_text(self, tmp_path):
        key, value = b"general.architecture", struct.pack("<I", 7)
        path = tmp_path / "odd.gguf"
        path.write_bytes(
            b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, len(key)) + key + struct.pack("<I", 4) + value
        )
        assert facts_of(ModelInfo("", "o", str(path), ModelType.GGUF, 1)).architecture is None


class TestVerdict:
    @pytest.mark.parametrize(
        ("size", "verdict"), [(1, "fits"), (880_000_000, "tight"), (2 * GIGABYTE, "cannot")]
    )
    def test_three_words_with_numbers(self, monkeypatch, size, verdict):
        manager = MemoryManager()
        monkeypatch.setattr(manager, "available_bytes", lambda: GIGABYTE)
        told = manager.verdict(model_of(size))
        assert told.name == verdict
        assert "needs about" in told.sentence
        assert "1.00 GB is free" in told.sentence

    def test_the_refusal_says_what_to_do(self, monkeypatch):
        sentence = MemoryManager(max_memory_gb=0.5).verdict(model_of(2 * GIGABYTE)).sentence
        assert sentence.startswith("Cannot run: needs about 2.10 GB, 0.50 GB is free.")
        assert "smaller quantisation" in sentence


class TestPlan:
    def test_together_where_it_fits(self):
        models, configs = [model_of(1), model_of(2)], [ModelConfig()] * 2
        assert MemoryManager().plan(models, configs, together=True).order == "together"
        assert MemoryManager().plan(models, configs).order == "in turn"

    def test_in_turn_where_only_one_fits(self):
        models, configs = [model_of(500_000_000)] * 2, [ModelConfig()] * 2
        plan = MemoryManager(max_memory_gb=1).plan(models, configs, together=True)
        assert (plan.order, plan.refusals) == ("in turn", (None, None))

    def test_one_that_cannot_is_refused_and_the_rest_go_together(self):
        models, configs = [model_of(1), model_of(5 * GIGABYTE)], [ModelConfig()] * 2
        plan = MemoryManager(max_memory_gb=1).plan(models, configs, together=True)
        assert plan.order == "together"
        assert plan.refusals[0] is None
        assert plan.refusals[1].startswith("Cannot run: ")

    def test_the_refusal_can_be_overridden(self):
        manager = MemoryManager(max_memory_gb=1, enforce=False)
        assert manager.plan([model_of(5 * GIGABYTE)], [ModelConfig()]).refusals == (None,)

    def test_a_refused_model_fails_in_its_column(self, echo_model):
        engine = InferenceEngine(MemoryManager(max_memory_gb=0.05))
        big = echo_model("big")
        big.size = GIGABYTE
        *_, results = engine.run_inference("hello", [big, echo_model("small")])
        refused, answered = results.values()
        assert (refused.state, refused.error_kind) == (RunState.FAILED, "refused")
        assert refused.error.startswith("Cannot run: needs about 1.01 GB, 0.05 GB is free.")
        assert answered.content == "hello"

    def test_an_override_runs_it(self, echo_model):
        engine = InferenceEngine(MemoryManager(max_memory_gb=0.05, enforce=False))
        big = echo_model("big")
        big.size = GIGABYTE
        *_, results = engine.run_inference("hello", [big])
        assert results[big.id].error is None


class TestMachine:
    @pytest.mark.parametrize("value", [0, -1, float("nan"), -0.5])
    def test_a_limit_must_be_more_than_nothing(self, value):
        with pytest.raises(ConfigurationError, match="max_memory_gb must be more than 0"):
            MemoryManager(value)

    def test_the_limit_is_honoured(self):
        assert MemoryManager(max_memory_gb=0.001).available_bytes() == 1_000_000
        assert MemoryManager(max_memory_gb=10**6).available_bytes() < 10**15

    def test_the_machine_is_asked(self):
        info = MemoryManager().get_memory_info()
        assert 0 < info["available_bytes"] <= info["total_bytes"]
        assert info["total_bytes"] <= psutil.virtual_memory().total
        assert info["devices"] == MemoryManager().device_memory()

    @pytest.mark.parametrize("version", [1, 2])
    def test_a_containers_limit_counts(self, tmp_path, monkeypatch, version):
        names = {
            2: ("memory.max", "memory.current"),
            1: ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
        }[version]
        (tmp_path / "memory").mkdir()
        (tmp_path / names[0]).write_text("100000000\n")
        (tmp_path / names[1]).write_text("30000000\n")
        _see_cgroups_in(tmp_path, monkeypatch)
        manager = MemoryManager()
        assert manager.total_bytes() == 100_000_000
        assert manager.available_bytes() == 70_000_000

    @pytest.mark.parametrize("limit", ["max", str(2**63 - 4096), "no number"])
    def test_no_limit_of_a_container(self, tmp_path, monkeypatch, limit):
        (tmp_path / "memory.max").write_text(limit)
        (tmp_path / "memory.current").write_text("5")
        _see_cgroups_in(tmp_path, monkeypatch)
        assert MemoryManager().total_bytes() == psutil.virtual_memory().total

    def test_a_container_over_its_limit_has_nothing(self, tmp_path, monkeypatch):
        (tmp_path / "memory.max").write_text("100")
        (tmp_path / "memory.current").write_text("200")
        _see_cgroups_in(tmp_path, monkeypatch)
        assert MemoryManager().available_bytes() == 0

    def test_cleanup_can_be_called_at_any_time(self):
        MemoryManager().cleanup()


def _see_cgroups_in(folder, monkeypatch) -> None:
    """Let the manager find /sys/fs/cgroup in another folder."""
    real = memory_manager.Path
    monkeypatch.setattr(
        memory_manager,
        "Path",
        lambda name: real(str(name).replace("/sys/fs/cgroup", str(folder))),
    )
