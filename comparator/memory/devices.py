"""Which engines here can use an accelerator, and its memory as its driver tells it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

from comparator.core.models import ModelType
from runners.machine import nvml


def devices() -> list[dict[str, Any]]:
    """Return name, total and free bytes of each NVIDIA device; empty without one."""
    return nvml.devices()


def held_by(pid: int) -> int:
    """Return what a process holds on all devices; 0 where NVML does not tell."""
    return nvml.held_by(pid)


@lru_cache
def can_use_device(kind: ModelType) -> bool:
    """Tell whether the installed engine was built for NVIDIA devices, without importing it."""
    try:
        if kind is ModelType.PYTORCH:
            version = importlib.metadata.version("torch")
            return "+cpu" not in version and importlib.util.find_spec("torch") is not None
        if kind is ModelType.GGUF:
            spec = importlib.util.find_spec("llama_cpp")
            places = spec.submodule_search_locations if spec else None
            return any([*Path(place).glob("lib/*ggml-cuda*")] for place in places or ())
    except (ImportError, ValueError):
        pass
    return False
