"""The accelerators that llama.cpp can use, of any maker, and how much of them is free."""

from __future__ import annotations

from typing import Any

from runners.engines.gguf import adapter, library
from runners.engines.gguf.adapter import Device as Device


def devices(llama: Any = None) -> list[Device]:
    """Return the accelerators that a library knows; none where it does not tell."""
    return adapter.devices(llama or library.library()) or []


def are_unknown(llama: Any) -> bool:
    """Whether a library can use accelerators but does not tell which there are."""
    return bool(llama.llama_supports_gpu_offload()) and adapter.devices(llama) is None


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
    return sum(device.free for device in devices(llama))
