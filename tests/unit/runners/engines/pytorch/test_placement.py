"""Where a transformers model goes, for machines that are not here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from runners.engines.pytorch import placement as torch_placement  # noqa: E402
from runners.engines.pytorch.placement import Placement, arguments_of, placement  # noqa: E402

GIGABYTE = 10**9
CUDA, CPU, MPS = torch.device("cuda"), torch.device("cpu"), torch.device("mps")


@pytest.fixture(autouse=True)
def accelerate(monkeypatch):
    monkeypatch.setattr(torch_placement, "can_spread", lambda: True)
    monkeypatch.setattr("runners.machine.memory.available_bytes", lambda: 9 * GIGABYTE)


def test_without_cuda_nothing_is_asked():
    assert placement(CPU, GIGABYTE) == Placement(CPU)
    assert placement(MPS, GIGABYTE) == Placement(MPS)


def test_the_emptiest_device_takes_what_fits():
    free = [3 * GIGABYTE, 8 * GIGABYTE, 5 * GIGABYTE]
    assert placement(CUDA, 4 * GIGABYTE, free) == Placement(torch.device("cuda", 1))


def test_what_fits_none_is_spread_with_a_reserve():
    found = placement(CUDA, 9 * GIGABYTE, [3 * GIGABYTE, 8 * GIGABYTE, 500])
    most = {0: 2 * GIGABYTE, 1: 7 * GIGABYTE, 2: 0, "cpu": 8 * GIGABYTE}
    assert found == Placement(torch.device("cuda", 0), most)


def test_without_accelerate_one_device_must_do(monkeypatch):
    monkeypatch.setattr(torch_placement, "can_spread", lambda: False)
    assert placement(CUDA, 9 * GIGABYTE, [GIGABYTE, 2 * GIGABYTE]).most == {}


def test_what_transformers_is_told():
    spread = Placement(torch.device("cuda", 0), {0: 5, "cpu": 7})
    assert arguments_of(spread, False) == {"device_map": "auto", "max_memory": {0: 5, "cpu": 7}}
    whole = Placement(torch.device("cuda", 1))
    assert arguments_of(whole, False) == {"device_map": {"": torch.device("cuda", 1)}}
    assert arguments_of(whole, True) == {}
    assert arguments_of(Placement(CPU), False) == {}


@pytest.mark.parametrize(
    ("place", "dtype", "extra", "suits"),
    [
        (Placement(CUDA), "auto", {}, True),
        (Placement(CUDA), torch.bfloat16, {}, True),
        (Placement(CUDA), torch.float16, {}, False),
        (Placement(CUDA), "auto", {"quantization_config": {}}, False),
        (Placement(CUDA), "auto", {"num_local_experts": 8}, False),
        (Placement(CUDA, {0: 1}), "auto", {}, False),
        (Placement(CPU), "auto", {}, False),
    ],
)
def test_pinned_memory_is_for_weights_that_are_not_converted(place, dtype, extra, suits):
    config = SimpleNamespace(dtype=torch.bfloat16, quantization_config=None)
    vars(config).update(extra)
    config.get_text_config = lambda decoder: config
    assert torch_placement.suits_pinned_memory(config, dtype, place) is suits
