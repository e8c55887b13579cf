"""The fork servers never open the device, and the sandbox says what it leaves open for it."""

from __future__ import annotations

import os
from pathlib import Path

from runners.supervision.fork_server import fork_servers

from .scene import Scene, asked, running
from .steps import Row

_DEVICE_FILES = "/dev/nvidia"


def run(scene: Scene) -> None:
    """Let a model answer, then look at what is open in the processes that started it."""
    with running() as engine:
        result = asked(engine, scene.pytorch("starter"), 8)
        if result.error:
            raise RuntimeError(result.error)
        opened = sorted({name for pid in fork_servers.pids() for name in device_files(pid)})
        servers = len(fork_servers.pids())
    told = ", ".join(opened) or "none"
    scene.tell(Row(f"device files open in {servers} fork servers", told, "", not opened, "none"))
    scene.tell(Row("device of the answer", str(result.engine.get("device"))))
    scene.tell(Row("sandbox of the answer", str(result.engine.get("sandbox"))))


def device_files(pid: int) -> list[str]:
    """Return the device files of NVIDIA that a process has open: a CUDA context has some."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        found += [target] * target.startswith(_DEVICE_FILES)
    return found
