"""Memory of NVIDIA devices (by NVML), and which engines here can use it at all."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

from comparator.core.models import ModelType


def devices() -> list[dict[str, Any]]:
    """Return name, total and free bytes of each NVIDIA device; empty without one."""
    with contextlib.ExitStack() as stack:
        pynvml = _opened(stack)
        if pynvml is None:
            return []
        return [_device(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]


def held_by(pid: int) -> int:
    """Return what a process holds on all devices; 0 where NVML does not tell."""
    with contextlib.ExitStack() as stack:
        pynvml = _opened(stack)
        if pynvml is None:
            return 0
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        running = (
            process
            for handle in handles
            for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        )
        return sum(int(p.usedGpuMemory or 0) for p in running if p.pid == pid)


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


def _opened(stack: contextlib.ExitStack) -> Any:
    """Return the NVML library, closed with the stack; None without it, a driver or a device."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver or no device: all mean the same here
        return None
    stack.callback(pynvml.nvmlShutdown)
    return pynvml


def _device(pynvml: Any, index: int) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return {"name": str(name), "total_bytes": int(memory.total), "free_bytes": int(memory.free)}
