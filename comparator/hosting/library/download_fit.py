"""Whether there is room for a model before it is fetched: on disk, and in memory to run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from comparator.core.disk import free_bytes
from comparator.core.units import fine_size
from comparator.hub.selection import Offer
from comparator.memory import devices
from comparator.memory.fit import TIGHT_SHARE
from comparator.memory.need import ENGINE_BYTES
from comparator.services.memory_manager import MemoryManager


@dataclass(frozen=True)
class DownloadRoom:
    """What is free, in bytes.

    Attributes:
        disk: where the models folder is, or will be; None where that cannot be told.
        memory: RAM for models now.
        device: memory of the accelerators now, all together.
    """

    disk: int | None
    memory: int
    device: int = 0

    def word_for(self, choice: Offer) -> str:
        """Return how a choice fits: ``fits``, ``tight``, or what there is too little of.

        Memory is weighed with what is known before a byte is fetched: the files, which are at
        least what the weights take, and the engine. The context comes on top, so that only
        *too large* is certain.
        """
        if self.disk is not None and choice.size > self.disk:
            return "too little disk space"
        need = choice.size + ENGINE_BYTES[choice.engine]
        # A GGUF may be shared between RAM and accelerators; others are taken to be as well.
        available = self.memory + (self.device if devices.can_use_device(choice.engine) else 0)
        if need > available:
            return "too large for the free memory"
        return "tight" if need > available * TIGHT_SHARE else "fits"

    def sentence(self) -> str:
        """Return what is free, with numbers."""
        parts = [] if self.disk is None else [f"{fine_size(self.disk)} of disk"]
        parts.append(f"{fine_size(self.memory)} of memory")
        if self.device:
            parts.append(f"{fine_size(self.device)} on accelerators")
        return f"Free now: {', '.join(parts)}."


def measure(models_dir: Path, memory: MemoryManager) -> DownloadRoom:
    """Return what is free now."""
    device = sum(int(one["free_bytes"]) for one in memory.device_memory())
    return DownloadRoom(_free_disk(models_dir), memory.available_bytes(), device)


def _free_disk(folder: Path) -> int | None:
    try:
        return free_bytes(folder)
    except OSError:
        return None
