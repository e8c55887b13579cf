"""The machine: its system, processor, memory and accelerators, and what limits their use."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import Any

import psutil

from comparator.core.units import fine_size
from comparator.diagnosis.values import LIMITS, NOTE, Finding, ReportPart
from comparator.memory import held as holding
from runners.machine import cores, memory, nvml
from runners.machine.processor import this_processor

FEW_BYTES = 1_000_000_000  # with less, small models may fit and others will not
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/dxg")


def system() -> ReportPart:
    """Return the operating system and Python."""
    facts = {
        "platform": _platform(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "bits": sys.maxsize.bit_length() + 1,
        "space": bool(os.environ.get("SPACE_ID")),
    }
    return ReportPart(facts)


def _platform() -> str:
    """Return kernel, release, machine and C library; ``platform.platform`` runs a program."""
    parts = (
        platform.system(),
        platform.release(),
        platform.machine(),
        "".join(platform.libc_ver()),
    )
    return "-".join(part for part in parts if part)


def cpu() -> ReportPart:
    """Return the processor, and how much of it models may use."""
    logical = psutil.cpu_count(logical=True) or os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False)
    paid, told = cores.quota_cores(), this_processor()
    facts = {
        "name": told.name,
        "architecture": told.machine,
        "flags": list(told.flags_that_matter),
        "flags_hash": told.flags_hash,
        "logical": logical,
        "physical": physical,
        "hyperthreads": bool(physical and logical > physical),
        "allowed": _allowed(logical),
        "quota_cores": paid,
        "free_cores": cores.free_physical_cores(),
        "threads": cores.threads_for_one_of(1),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    return ReportPart(facts, _about_cpu(facts))


def _allowed(logical: int) -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical


def _about_cpu(facts: dict[str, Any]) -> list[Finding]:
    found = []
    quota, most = facts["quota_cores"], facts["physical"] or facts["logical"]
    if quota is not None and quota < most:
        found.append(
            _limit(
                "processor",
                f"A control group pays for {quota:g} of {most} cores, so models compute with "
                f"{facts['threads']} threads.",
                "Raise the quota of the container: docker run --cpus N, or its cpu limit.",
            )
        )
    if facts["allowed"] < facts["logical"]:
        found.append(
            _limit(
                "processor",
                f"This process may use {facts['allowed']} of {facts['logical']} processors.",
                "Start it without a mask: taskset -c 0-"
                f"{facts['logical'] - 1} comparator serve, or docker run without --cpuset-cpus.",
            )
        )
    if not facts["flags"]:
        found.append(
            Finding("processor", NOTE, "The system does not tell what this processor can do.",
                    "Nothing needs to be done: engines look for themselves.")
        )  # fmt: skip
    return found


def ram() -> ReportPart:
    """Return the memory there is and what of it is free, in bytes."""
    machine, swap = psutil.virtual_memory().total, psutil.swap_memory()
    most, free = memory.total_bytes(), memory.available_bytes()
    facts = {
        "ram_bytes": machine,
        "limit_bytes": most if most < machine else None,
        "available_bytes": free,
        "swap_bytes": swap.total,
        "swap_used_bytes": swap.used,
        "kills": memory.kills(),
    }
    return ReportPart(facts, _about_ram(facts))


def held() -> ReportPart:
    """Return what pages and programs that use this library hold now, in bytes."""
    return ReportPart([_held(pid, what) for pid, what in holding.running().items()])


def _held(pid: int, what: holding.Held) -> dict[str, Any]:
    servers = [{"engine": kind, "bytes": held} for kind, held in what.fork_servers.items()]
    return {"pid": pid, "program_bytes": what.program, "fork_servers": servers}


def _about_ram(facts: dict[str, Any]) -> list[Finding]:
    found = []
    if facts["limit_bytes"] is not None:
        found.append(
            _limit(
                "memory",
                f"A control group allows {fine_size(facts['limit_bytes'])} of this machine's "
                f"{fine_size(facts['ram_bytes'])}; larger models are refused.",
                "Raise the limit of the container: docker run --memory N.",
            )
        )
    if facts["available_bytes"] < FEW_BYTES:
        found.append(
            _limit(
                "memory",
                f"Only {fine_size(facts['available_bytes'])} of memory are free; most models "
                "will be refused.",
                "Close other programs, or choose smaller quantisations: comparator models.",
            )
        )
    if facts["kills"]:
        found.append(
            _limit(
                "memory",
                f"The system has killed {facts['kills']} processes in this container for memory.",
                "Give the container more memory, or models less: --max-memory-gb N.",
            )
        )
    return found


def devices() -> ReportPart:
    """Return the NVIDIA devices that the driver tells of; no engine is asked here."""
    found = nvml.devices()
    facts = {"driver": nvml.driver_version(), "devices": found}
    has_driver = any(Path(path).exists() for path in _DEVICE_FILES)
    if has_driver and not found and importlib.util.find_spec("pynvml") is None:
        sentence = (
            "There is an NVIDIA driver, but nothing here asks it about memory, so estimates for "
            "GPUs are less sure."
        )
        mend = "pip install nvidia-ml-py"
        return ReportPart(facts, [Finding("devices", LIMITS, sentence, mend)])
    return ReportPart(facts)


def _limit(about: str, sentence: str, mend: str) -> Finding:
    return Finding(about, LIMITS, sentence, mend)
