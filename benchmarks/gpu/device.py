"""The device as the steps see it from outside: a GPU by its driver, or a stand-in on a CPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import psutil

from runners.machine import memory, nvml

LOOK_SECONDS = 0.01


class Device(Protocol):
    """What is asked of a device.

    Attributes:
        name: for people.
        is_real: whether it is a GPU, so that what it shows counts.
        kind: as torch calls it.
    """

    name: str
    is_real: bool
    kind: str

    def used_bytes(self) -> int:
        """Return what all programs hold of it."""

    def free_bytes(self) -> int:
        """Return what nobody holds of it."""


class Gpu:
    """The first NVIDIA device, by NVML: other programs see it the same way."""

    is_real, kind = True, "cuda"

    def __init__(self) -> None:
        """Look for it.

        Raises:
            SystemExit: there is none.
        """
        found = nvml.devices()
        if not found:
            raise SystemExit(
                "There is no NVIDIA device here that NVML knows (nvidia-ml-py and the driver). "
                "--stand-in runs the steps on the CPU, to see that they run."
            )
        self.name = str(found[0]["name"])

    def used_bytes(self) -> int:
        """Return what all programs hold of it."""
        (first, *_others) = nvml.devices()
        return int(first["total_bytes"]) - int(first["free_bytes"])

    def free_bytes(self) -> int:
        """Return what nobody holds of it."""
        return int(nvml.devices()[0]["free_bytes"])


class StandIn:
    """The memory of this program's own processes, as if it were a device's."""

    name, is_real, kind = "a stand-in on the CPU", False, "cpu"

    def __init__(self) -> None:
        self._pid = os.getpid()

    def used_bytes(self) -> int:
        """Return what the processes of this program hold."""
        total = 0
        for process in psutil.Process(self._pid).children(recursive=True):
            try:
                total += int(process.memory_full_info().uss)
            except (psutil.Error, OSError):
                continue
        return total

    def free_bytes(self) -> int:
        """Return what the machine can still give."""
        return int(memory.available_bytes())


class Peak:
    """The most that was held of a device, looked at again and again."""

    def __init__(self, before: int) -> None:
        self.before = before
        self.most = before

    @property
    def added(self) -> int:
        """The most that was held more than before, in bytes."""
        return self.most - self.before


@contextmanager
def watched(device: Device) -> Iterator[Peak]:
    """Look at a device until the block is left."""
    peak, over = Peak(device.used_bytes()), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            peak.most = max(peak.most, device.used_bytes())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
