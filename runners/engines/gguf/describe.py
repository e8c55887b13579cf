"""What a build of llama.cpp says of itself: a job, so that a broken build ends a child alone."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from typing import Any

from runners.engines.gguf import devices, library
from runners.protocol import JobProgress

_SEPARATOR, _OF_BACKEND = "|", ":"


def run(arguments: dict[str, Any], progress: JobProgress, should_stop: Callable[[], bool]) -> str:
    """Load one build and return what it says, as JSON.

    Args:
        arguments: ``library`` is ``llama_cpp`` or ``xllamacpp``.
        progress: told what is being done.
        should_stop: never asked; this takes a moment.

    Raises:
        EngineMissingError: it is not installed, or its binary cannot be used.
    """
    progress("load the library", 0, 1)
    llama = library.prebuilt() if arguments["library"] == "xllamacpp" else library.library()
    llama.llama_backend_init()
    return json.dumps(
        {
            "version": library.version(llama),
            "built_with": features(system_info(llama)),
            "gpu_offload": bool(llama.llama_supports_gpu_offload()),
            "devices": [device._asdict() for device in _devices(llama)],
        }
    )


def system_info(llama: Any) -> str:
    """Return llama.cpp's own line about the processor features that its build uses."""
    binary = getattr(llama, "binary", None)
    if binary is None:
        return bytes(llama.llama_print_system_info()).decode("utf-8", "replace")
    function = binary.llama_print_system_info
    function.restype, function.argtypes = ctypes.c_char_p, []
    return bytes(function()).decode("utf-8", "replace")


def features(line: str) -> dict[str, str]:
    """Return the features of such a line, ``CPU : AVX = 1 | FMA = 1 |``, with their values."""
    found = {}
    for piece in line.split(_SEPARATOR):
        name, _, value = piece.rpartition(_OF_BACKEND)[2].partition("=")
        if value.strip():
            found[name.strip()] = value.strip()
    return found


def _devices(llama: Any) -> list[devices.Device]:
    return devices.devices(llama=llama if getattr(llama, "binary", None) else None)
