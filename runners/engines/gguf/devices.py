"""The accelerators that llama.cpp can use, of any maker, and how much of them is free.

Functions and numbers are those of ggml-backend.h (enum ggml_backend_dev_type); llama-cpp-python
loads the library and leaves them out.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

_ACCELERATORS = (1, 2)  # GGML_BACKEND_DEVICE_TYPE_GPU and _IGPU


class Device(NamedTuple):
    """One accelerator: its name, and free and total memory in bytes."""

    name: str
    free: int
    total: int


def devices(kinds: tuple[int, ...] = _ACCELERATORS, llama: Any = None) -> list[Device]:
    """Return the devices of some kinds that a library knows; by default the accelerators."""
    ggml = _library(llama)
    pointers = [ggml.ggml_backend_dev_get(index) for index in range(ggml.ggml_backend_dev_count())]
    return [_device(ggml, p) for p in pointers if ggml.ggml_backend_dev_type(p) in kinds]


class DeviceUse:
    """What was taken of all accelerators since its making, by this process or by another.

    For drivers that do not tell it by process; where one does, the parent asks it.
    """

    def __init__(self, llama: Any = None) -> None:
        self._llama = llama
        self._before = _free(llama)
        self.peak_bytes = 0

    def look(self) -> int:
        """Look again and return the most that was taken at any look, in bytes."""
        if self._before:
            self.peak_bytes = max(self.peak_bytes, self._before - _free(self._llama))
        return self.peak_bytes


def _free(llama: Any) -> int:
    return sum(device.free for device in (devices(llama=llama) if llama else devices()))


def _library(llama: Any) -> Any:
    ggml = getattr(llama, "binary", None)  # of xllamacpp; llama-cpp-python has one of its own
    if ggml is None:
        from llama_cpp import _ggml

        ggml = _ggml.libggml
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_name.restype = ctypes.c_char_p
    for name in ("ggml_backend_dev_name", "ggml_backend_dev_type"):
        getattr(ggml, name).argtypes = [ctypes.c_void_p]
    size = ctypes.POINTER(ctypes.c_size_t)
    ggml.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size, size]
    ggml.ggml_backend_dev_memory.restype = None
    return ggml


def _device(ggml: Any, pointer: Any) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(pointer, ctypes.byref(free), ctypes.byref(total))
    name = ggml.ggml_backend_dev_name(pointer) or b""
    return Device(name.decode("utf-8", "replace"), free.value, total.value)
