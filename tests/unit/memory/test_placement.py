"""What is estimated for devices that are not here is what the child would put there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from comparator.core import placement as shared
from comparator.core.config import ModelConfig
from comparator.core.models import ModelType
from comparator.memory.placement import ALL_LAYERS, DEVICE_CONTEXT_BYTES, Load, placed

GIGABYTE = 10**9
MACHINES = {
    "one that takes all": [12 * GIGABYTE],
    "one that is too small": [4 * GIGABYTE],
    "a small one before a large one": [3 * GIGABYTE, 12 * GIGABYTE],
    "two that share": [4 * GIGABYTE, 5 * GIGABYTE],
    "one that is full": [200_000_000, 7 * GIGABYTE],
    "none": [],
}


@pytest.mark.parametrize("has_accelerate", [True, False])
@pytest.mark.parametrize("free", MACHINES.values(), ids=MACHINES)
def test_transformers_puts_as_much_on_devices_as_is_estimated(monkeypatch, free, has_accelerate):
    torch = pytest.importorskip("torch")
    from runners.engines.pytorch import placement as childs

    monkeypatch.setattr(shared, "can_spread", lambda: has_accelerate)
    monkeypatch.setattr(childs, "can_spread", lambda: has_accelerate)
    weights, cache, compute = 8 * GIGABYTE, 80_000_000, 7_000_000
    estimated = placed(ModelType.PYTORCH, None, 24, Load(weights, cache, compute), free)
    if not free:
        assert estimated.device_bytes == 0
        return
    child = childs.placement(torch.device("cuda"), weights, free)
    on_devices = sum(most for device, most in child.most.items() if device != "cpu")
    share = min(1.0, on_devices / weights) if child.most else 1.0
    assert estimated.share == pytest.approx(share)
    devices = len(child.most) - 1 if child.most else 1
    own = devices * (compute + DEVICE_CONTEXT_BYTES)
    assert estimated.device_bytes == pytest.approx((weights + cache) * share + own, abs=1)


@pytest.mark.parametrize("use_gpu", [True, False])
@pytest.mark.parametrize("wanted", [None, -1, 0, 7, 24, 25, 90])
@pytest.mark.parametrize("free", MACHINES.values(), ids=MACHINES)
def test_llama_cpp_is_told_as_many_layers_as_are_estimated(free, wanted, use_gpu):
    from runners.engines.gguf.inferencer import _gpu_layers

    layers = 24
    load = Load(8 * GIGABYTE, 80_000_000, 7_000_000)
    asked = shared.wanted_layers(use_gpu, wanted)
    estimated = placed(ModelType.GGUF, asked, layers, load, free if use_gpu else ())
    sent = wanted if estimated.chosen_layers is None else estimated.chosen_layers
    told = _gpu_layers(ModelConfig(use_gpu=use_gpu, n_gpu_layers=sent))
    if free:
        there, whole = shared.layers_on_device(told, layers)
        assert estimated.share == pytest.approx(there / whole)
    elif use_gpu and wanted is None:
        assert told == ALL_LAYERS  # nobody knows a device: llama.cpp looks for itself
    if not use_gpu:
        assert told == 0


@pytest.mark.parametrize(
    ("stored", "wanted", "packed", "factor"),
    [
        ("bfloat16", "auto", False, 1),
        ("bfloat16", "float32", False, 2),
        ("float32", "bfloat16", False, 0.5),
        ("bfloat16", "float32", True, 1),
        (None, "float32", False, 1),
    ],
)
def test_weights_are_placed_by_the_size_that_they_are_loaded_in(
    tmp_path: Path, stored, wanted, packed, factor
):
    torch = pytest.importorskip("torch")
    from runners.engines.pytorch.placement import loaded_bytes

    (tmp_path / "model.safetensors").write_bytes(bytes(64))
    config = SimpleNamespace(dtype=getattr(torch, stored) if stored else None)
    config.quantization_config = {} if packed else None
    dtype = wanted if wanted == "auto" else getattr(torch, wanted)
    assert loaded_bytes(tmp_path, config, dtype) == 64 * factor
