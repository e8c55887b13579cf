"""llama.cpp's own list of devices, and what was taken of them."""

from __future__ import annotations

import psutil
import pytest

pytest.importorskip("llama_cpp")

from runners.engines.gguf import adapter, library
from runners.engines.gguf import devices as gguf_devices
from runners.engines.gguf.devices import Device, DeviceUse

PROCESSOR = 0  # GGML_BACKEND_DEVICE_TYPE_CPU


def test_the_processor_is_a_device_with_the_machines_memory():
    (processor,) = adapter.devices(library.library(), (PROCESSOR,))
    assert processor.name
    assert processor.total == pytest.approx(psutil.virtual_memory().total, rel=0.05)
    assert 0 < processor.free <= processor.total


def test_use_is_the_most_that_was_missing(monkeypatch):
    free = iter([900, 500, 300, 700])
    monkeypatch.setattr(gguf_devices, "devices", lambda _llama: [Device("gpu", next(free), 1000)])
    use = DeviceUse()
    assert [use.look(), use.look(), use.look()] == [400, 600, 600]


def test_without_accelerators_nothing_is_used(monkeypatch):
    monkeypatch.setattr(gguf_devices, "devices", lambda _llama: [])
    assert DeviceUse().look() == 0
