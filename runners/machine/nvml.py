"""Memory of NVIDIA devices as their driver tells it (NVML), also of other processes.

Facts of the interface: https://docs.nvidia.com/deploy/nvml-api/. The library is optional
(``nvidia-ml-py``) and asking it does not start CUDA, which a fork server must never do.
"""

from __future__ import annotations

import contextlib
from typing import Any

_LIBRARY_NOT_FOUND = 12  # NVML_ERROR_LIBRARY_NOT_FOUND of nvml.h


def devices() -> list[dict[str, Any]]:
    """Return name, total and free bytes of each NVIDIA device; empty without one."""
    library = _Session.library()
    if library is None:
        return []
    with contextlib.suppress(library.NVMLError):
        return [_device(library, handle) for handle in _handles(library)]
    return []


def driver_version() -> str:
    """Return the version of the driver; empty where there is none, or it does not tell."""
    library = _Session.library()
    if library is None:
        return ""
    with contextlib.suppress(library.NVMLError):
        version = library.nvmlSystemGetDriverVersion()
        return version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)
    return ""


def held_by(pid: int) -> int:
    """Return what a process holds on all devices, in bytes; 0 where the driver does not tell.

    It does not on Windows (WDDM), nor for a process whose id is another one outside of its
    container.
    """
    return sum(held_on_each(pid))


def held_on_each(pid: int) -> list[int]:
    """Return the same of each device, in the order of ``devices``; empty without one."""
    library = _Session.library()
    if library is None:
        return []
    with contextlib.suppress(library.NVMLError):
        return [_held(library, handle, pid) for handle in _handles(library)]
    return []


class _Session:
    """The library, opened when it is first needed and kept: opening it wakes the driver."""

    _library: Any = None
    _is_absent = False

    @classmethod
    def library(cls) -> Any:
        """Return the opened library; None without it, a driver or a device."""
        if cls._library is None and not cls._is_absent:
            try:
                import pynvml

                pynvml.nvmlInit()
            except Exception as error:  # no library, driver or device: all mean the same here
                # What is not there is not looked for again: each look leaves 2 kB in a circle.
                cls._is_absent = _says_that_nothing_is_there(error)
                return None
            cls._library = pynvml
        return cls._library

    @classmethod
    def close(cls) -> None:
        """Close it; the next question opens it again."""
        cls._is_absent = False
        if cls._library is not None:
            cls._library.nvmlShutdown()
            cls._library = None


def _says_that_nothing_is_there(error: Exception) -> bool:
    """Whether library or driver are not installed; a driver that fails may do better later."""
    return isinstance(error, ImportError) or getattr(error, "value", 0) == _LIBRARY_NOT_FOUND


def close() -> None:
    """Let go of the driver; the next question asks it again."""
    _Session.close()


def _handles(library: Any) -> list[Any]:
    return [library.nvmlDeviceGetHandleByIndex(i) for i in range(library.nvmlDeviceGetCount())]


def _held(library: Any, handle: Any, pid: int) -> int:
    """Return what a process holds on one device; drivers list graphics processes apart."""
    held = 0
    for name in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
        with contextlib.suppress(library.NVMLError):
            running = getattr(library, name)(handle)
            held = max(held, sum(int(p.usedGpuMemory or 0) for p in running if p.pid == pid))
    return held


def _device(library: Any, handle: Any) -> dict[str, Any]:
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    name = library.nvmlDeviceGetName(handle)
    return {"name": str(name), "total_bytes": int(memory.total), "free_bytes": int(memory.free)}
