"""What torch and transformers say of themselves: a job, for it may start CUDA and threads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from runners.protocol import JobProgress

_COMPILER = re.compile(r"^\s*- (GCC [\d.]+|clang [\d.]+|MSVC \d+)", re.MULTILINE)
_ONEDNN = re.compile(r"MKL-DNN v([\d.]+)")


def run(arguments: dict[str, Any], progress: JobProgress, should_stop: Callable[[], bool]) -> str:
    """Import the libraries and return what they say, as JSON.

    Args:
        arguments: none are needed.
        progress: told what is being done.
        should_stop: never asked; this takes a moment.

    Raises:
        ImportError: one of them is not installed, or cannot be used.
    """
    progress("import torch and transformers", 0, 1)
    import torch
    import transformers

    return json.dumps(
        {
            "version": str(torch.__version__),
            "transformers": str(transformers.__version__),
            "built_with": _build(torch),
            "threads": int(torch.get_num_threads()),
            "gpu_offload": bool(torch.version.cuda or getattr(torch.version, "hip", None)),
            "devices": _devices(torch),
        }
    )


def _build(torch: Any) -> dict[str, str]:
    """Return how torch was built and what it uses of this processor."""
    told = torch.__config__.show()
    return {
        "commit": str(torch.version.git_version or "")[:10],
        "compiler": _first(_COMPILER, told),
        "cpu_capability": str(torch.backends.cpu.get_cpu_capability()),
        "onednn": _first(_ONEDNN, told) if torch.backends.mkldnn.is_available() else "",
        "mkl": "yes" if torch.backends.mkl.is_available() else "no",
        "cuda": str(torch.version.cuda or ""),
        "hip": str(getattr(torch.version, "hip", None) or ""),
    }


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _devices(torch: Any) -> list[dict[str, Any]]:
    """Return the devices that torch can use, with their memory in bytes."""
    if not torch.cuda.is_available():
        return []
    return [_device(torch, number) for number in range(torch.cuda.device_count())]


def _device(torch: Any, number: int) -> dict[str, Any]:
    free, total = torch.cuda.mem_get_info(number)
    return {"name": torch.cuda.get_device_name(number), "free": int(free), "total": int(total)}
