"""What a model needs, what there is, and who may run."""

from __future__ import annotations

import json
import struct
import sys
import time
import weakref
from types import SimpleNamespace

import psutil
import pytest
from gguf import GGUFWriter

from comparator.comparison.comparison import Comparison
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.library.facts.lookup import facts_of
from comparator.memory import devices
from comparator.memory.fit import Neighbour
from comparator.memory.need import ENGINE_BYTES, MemoryNeed
from comparator.memory.placement import DEVICE_CONTEXT_BYTES, DEVICE_RESERVE_BYTES
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from runners.machine import nvml

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
        parts = need.weights + need.key_value_cache + need.engine + need.compute
        assert need.total == need.host == need.peak == parts

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
        ("size", "word"), [(1, "fits"), (880_000_000, "tight"), (2 * GIGABYTE, "cannot")]
    )
    def test_three_words_with_numbers(self, monkeypatch, size, word):
        manager = MemoryManager()
        monkeypatch.setattr(manager, "available_bytes", lambda *_: GIGABYTE)
        told = manager.fit(model_of(size))
        assert told.name == word
        assert "needs about" in told.sentence
        assert "1.00 GB is free" in told.sentence

    def test_the_refusal_says_what_to_do(self, monkeypatch):
        sentence = MemoryManager(max_memory_gb=0.5).fit(model_of(2 * GIGABYTE)).sentence
        assert sentence.startswith("Cannot run: needs about 2.10 GB, 500 MB is free.")
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

    @pytest.mark.process
    def test_a_refused_model_fails_in_its_column(self, echo_model):
        engine = InferenceEngine(MemoryManager(max_memory_gb=0.05))
        big = echo_model("big")
        big.size = GIGABYTE
        *_, results = engine.run_inference("hello", [big, echo_model("small")])
        refused, answered = results.values()
        assert (refused.state, refused.error_kind) == (RunState.FAILED, "refused")
        assert refused.error.startswith("Cannot run: needs about 1.01 GB, 50 MB is free.")
        assert answered.content == "hello"

    @pytest.mark.process
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

    def test_cleanup_gives_back_what_only_circles_hold(self):
        class Circle:
            def __init__(self):
                self.itself = self

        gone = weakref.ref(Circle())
        MemoryManager().cleanup()
        assert gone() is None


class TestNeighbours:
    """Running children count with what they will still take; what they hold is gone already."""

    def test_what_is_still_to_come_is_not_free(self, monkeypatch):
        monkeypatch.setattr("runners.machine.memory.available_bytes", lambda: 5 * GIGABYTE)
        need = MemoryNeed(2 * GIGABYTE, GIGABYTE, 0)
        manager = MemoryManager()
        assert manager.available_bytes() == 5 * GIGABYTE
        assert manager.available_bytes([Neighbour(need, GIGABYTE)]) == 3 * GIGABYTE
        assert manager.available_bytes([Neighbour(need, 4 * GIGABYTE)]) == 5 * GIGABYTE
        assert manager.available_bytes([Neighbour(need)] * 2) == 0

    def test_the_limit_is_for_all_children_together(self, monkeypatch):
        monkeypatch.setattr("runners.machine.memory.available_bytes", lambda: 50 * GIGABYTE)
        need = MemoryNeed(2 * GIGABYTE, GIGABYTE, 0)
        manager = MemoryManager(max_memory_gb=8)
        assert manager.available_bytes([Neighbour(need, GIGABYTE)]) == 5 * GIGABYTE
        assert manager.available_bytes([Neighbour(need, 4 * GIGABYTE)]) == 4 * GIGABYTE

    def test_a_model_that_fits_alone_is_refused_beside_another(self, monkeypatch):
        monkeypatch.setattr("runners.machine.memory.available_bytes", lambda: 5 * GIGABYTE)
        models, configs = [model_of(3 * GIGABYTE)], [ModelConfig()]
        neighbour = Neighbour(MemoryNeed(4 * GIGABYTE, 0, 0), GIGABYTE)
        assert MemoryManager().plan(models, configs).refusals == (None,)
        (refused,) = MemoryManager().plan(models, configs, neighbours=[neighbour]).refusals
        assert refused.startswith("Cannot run: needs about 3.10 GB, 2.00 GB is free.")

    @pytest.mark.process
    def test_an_engine_counts_its_children(self, echo_model):
        """The second comparison is decided while the first one's child is still small."""
        engine = InferenceEngine(MemoryManager(max_memory_gb=1))
        large = echo_model("large", tokens=4000, tokens_per_second=50)
        large.size = 800_000_000
        first = engine.compare(engine.request("one two", [large]))
        try:
            end = time.monotonic() + 60
            while not first.pids() and time.monotonic() < end:
                time.sleep(0.01)
            other = echo_model("other")
            other.size = 500_000_000
            (slot,) = engine.admitted(engine.request("hi", [other])).slots
            assert "needs about 510 MB, 190 MB is free" in slot.refusal
        finally:
            engine.finish(first)
        (slot,) = engine.admitted(engine.request("hi", [other])).slots
        assert slot.refusal is None

    def test_who_waited_in_line_is_decided_at_the_start(self, echo_model):
        engine = InferenceEngine(MemoryManager(max_memory_gb=1))
        model = echo_model()
        waiting = Comparison(engine.request("hi", [model]))
        model.size = 5 * GIGABYTE
        engine.start(waiting)
        assert waiting.wait_until_ended(60)
        waiting.drain(1)
        assert waiting.result(0).error_kind == "refused"
        engine.finish(waiting)


class TestCeilings:
    def test_a_child_may_take_what_is_available(self, monkeypatch):
        monkeypatch.setattr("runners.machine.memory.available_bytes", lambda: 5 * GIGABYTE)
        models, configs = [model_of(GIGABYTE), model_of(2 * GIGABYTE)], [ModelConfig()] * 2
        manager = MemoryManager()
        assert manager.plan(models, configs).limits == (5 * GIGABYTE, 5 * GIGABYTE)
        together = manager.plan(models, configs, together=True)
        assert together.order == "together"
        assert together.limits == (2_900_000_000, 3_900_000_000)

    def test_the_limit_of_the_manager_is_the_ceiling(self):
        plan = MemoryManager(max_memory_gb=1.5).plan([model_of(1)], [ModelConfig()])
        assert plan.limits == (1_500_000_000,)

    def test_an_override_sets_none(self):
        manager = MemoryManager(max_memory_gb=1, enforce=False)
        assert manager.plan([model_of(5 * GIGABYTE)], [ModelConfig()]).limits == (0,)


class TestContextAdvice:
    def test_a_context_that_fits_is_named(self, gguf_model, monkeypatch):
        need = MemoryManager().estimate(gguf_model, ModelConfig(n_ctx=8192))
        room = need.host - need.key_value_cache + 1500 * 2 * 24 * 3 * 64 * 2
        monkeypatch.setattr("runners.machine.memory.available_bytes", lambda: room)
        fit = MemoryManager().fit(gguf_model, ModelConfig(n_ctx=8192))
        assert fit.name == "cannot"
        assert fit.sentence.endswith("or a context (n_ctx) of at most 1280 tokens.")
        assert MemoryManager().fit(gguf_model, ModelConfig(n_ctx=1280)).name != "cannot"

    def test_where_no_context_helps_none_is_named(self, gguf_model, monkeypatch):
        monkeypatch.setattr("runners.machine.memory.available_bytes", lambda: 98_000_000)
        sentence = MemoryManager().fit(gguf_model).sentence
        assert "at most" not in sentence


class FakeNVML:
    """NVML with devices of 4 GB, of which 3 are free; one of them unless told otherwise."""

    class NVMLError(Exception): ...

    count = 1
    free = 3 * GIGABYTE

    def nvmlInit(self): ...

    def nvmlShutdown(self): ...

    def nvmlDeviceGetCount(self):
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetMemoryInfo(self, _handle):
        return SimpleNamespace(total=4 * GIGABYTE, free=self.free)

    def nvmlDeviceGetName(self, _handle):
        return "Fake 4"


@pytest.fixture
def nvidia(monkeypatch):
    """A machine with a device, and engines that were built for it."""
    library = FakeNVML()
    nvml.close()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(devices, "can_use_device", lambda kind: kind is not ModelType.ECHO)
    yield library
    nvml.close()


class TestDevice:
    def gguf(self, gguf_model, size):
        return ModelInfo("", "m", gguf_model.path, ModelType.GGUF, size)

    def test_the_device_is_told(self, nvidia):
        (device,) = MemoryManager().device_memory()
        expected = {"name": "Fake 4", "total_bytes": 4 * GIGABYTE, "free_bytes": 3 * GIGABYTE}
        assert device == expected

    def test_a_model_on_the_gpu_needs_its_memory_and_little_ram(self, nvidia, gguf_model):
        model = self.gguf(gguf_model, GIGABYTE)
        need = MemoryManager().estimate(model)
        assert need.gpu_layers == -1
        layers = need.weights + need.key_value_cache
        assert need.device == layers + need.compute
        assert DEVICE_CONTEXT_BYTES < need.compute < 2 * DEVICE_CONTEXT_BYTES
        assert need.host == need.engine
        assert MemoryManager().estimate(model, ModelConfig(use_gpu=False)).device == 0
        half = MemoryManager().estimate(model, ModelConfig(n_gpu_layers=12))
        assert half.gpu_layers is None
        assert half.device == pytest.approx(layers * 12 / 25 + need.compute, rel=0.05)
        assert half.host > need.host + layers * 0.5
        everything = MemoryManager().estimate(model, ModelConfig(n_gpu_layers=-1))
        assert everything.device == need.device

    def test_as_many_layers_as_fit_are_chosen(self, nvidia, gguf_model):
        model = self.gguf(gguf_model, 5 * GIGABYTE)
        need = MemoryManager().estimate(model)
        assert 0 < need.gpu_layers < 24
        assert need.device <= nvidia.free
        one_more = MemoryManager().estimate(model, ModelConfig(n_gpu_layers=need.gpu_layers + 2))
        assert one_more.device > nvidia.free - DEVICE_RESERVE_BYTES
        fit = MemoryManager().fit(model)
        assert fit.name == "fits"
        assert f"with {need.gpu_layers} of 24 layers, the rest in RAM" in fit.sentence

    def test_none_fit_on_a_full_device(self, nvidia, gguf_model):
        nvidia.free = 200_000_000
        need = MemoryManager().estimate(self.gguf(gguf_model, GIGABYTE))
        assert (need.gpu_layers, need.device) == (0, 0)

    def test_two_devices_share_the_layers(self, nvidia, gguf_model):
        model = self.gguf(gguf_model, 4 * GIGABYTE)
        assert MemoryManager().estimate(model).gpu_layers not in (-1, 0)
        nvidia.count = 3
        assert MemoryManager().estimate(model).gpu_layers == -1

    def test_the_choice_reaches_the_model_and_stays_open_for_the_next_run(self, nvidia, gguf_model):
        engine = InferenceEngine()
        model = self.gguf(gguf_model, 5 * GIGABYTE)
        request = engine.admitted(engine.request("hi", [model]))
        (slot,) = request.slots
        chosen = slot.gpu_layers
        sent = Comparison(request)._assignment(0, slot, 0.0)
        assert sent.config.n_gpu_layers == chosen > 0
        assert slot.config.n_gpu_layers is None
        own = {model.id: ModelConfig(n_gpu_layers=3)}
        request = engine.admitted(engine.request("hi", [model], own))
        sent = Comparison(request)._assignment(0, request.slots[0], 0.0)
        assert sent.config.n_gpu_layers == 3

    def test_transformers_models_spread_only_with_accelerate(
        self, nvidia, directory_model, monkeypatch
    ):
        directory_model.size = 5 * GIGABYTE
        manager = MemoryManager()
        monkeypatch.setattr("comparator.core.placement.can_spread", lambda: True)
        spread = manager.estimate(directory_model)
        assert spread.device <= nvidia.free
        assert spread.host > 2 * GIGABYTE
        monkeypatch.setattr("comparator.core.placement.can_spread", lambda: False)
        whole = manager.estimate(directory_model)
        assert whole.device > 5 * GIGABYTE
        assert manager.fit(directory_model).name == "cannot"

    def test_a_device_is_judged_by_itself(self, nvidia, gguf_model):
        manager = MemoryManager()
        small, large = (self.gguf(gguf_model, size) for size in (GIGABYTE, 5 * GIGABYTE))
        assert "on the GPU" in manager.fit(small).sentence
        assert "GPU" not in manager.fit(small, ModelConfig(use_gpu=False)).sentence
        fit = manager.fit(large, ModelConfig(n_gpu_layers=-1))
        assert fit.name == "cannot"
        assert fit.sentence.startswith("Cannot run on the GPU: needs about 5.")
        assert "3.00 GB is free" in fit.sentence
        assert "use_gpu" in fit.sentence
        assert "n_gpu_layers" in fit.sentence

    def test_only_cannot_blocks_and_it_can_be_overridden(self, nvidia, gguf_model):
        tight, large = (self.gguf(gguf_model, size) for size in (int(2.2 * GIGABYTE), 5 * GIGABYTE))
        configs = [ModelConfig(n_gpu_layers=-1)] * 2
        first, second = MemoryManager().plan([tight, large], configs).refusals
        assert first is None
        assert second.startswith("Cannot run on the GPU")
        assert MemoryManager(enforce=False).plan([large], configs[:1]).refusals == (None,)

    def test_two_that_fit_alone_do_not_run_together(self, nvidia, gguf_model):
        models = [self.gguf(gguf_model, int(1.5 * GIGABYTE))] * 2
        plan = MemoryManager().plan(models, [ModelConfig()] * 2, together=True)
        assert (plan.order, plan.refusals) == ("in turn", (None, None))

    def test_drivers_of_gpus_get_no_ceiling(self, nvidia, gguf_model):
        plan = MemoryManager().plan([self.gguf(gguf_model, GIGABYTE)], [ModelConfig()])
        assert plan.limits == (0,)

    def test_the_engines_here_were_built_for_the_processor(self):
        """Where this fails, a GPU build is installed and the tests above are real."""
        import importlib.metadata

        if "+cpu" in importlib.metadata.version("torch"):
            devices.can_use_device.cache_clear()
            assert not devices.can_use_device(ModelType.PYTORCH)
        assert not devices.can_use_device(ModelType.ECHO)
