"""What a file's name or first bytes say of it: weights, a GGUF, or nothing of a model."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

GGUF_SUFFIX = ".gguf"
ECHO_SUFFIX = ".echo.json"
SAFETENSORS_SUFFIX = ".safetensors"
WEIGHT_SUFFIXES = (SAFETENSORS_SUFFIX, ".bin", ".pt", ".pth")  # of transformers' directories
GGUF_MAGIC = b"GGUF"


def is_gguf_name(name: str) -> bool:
    """Return whether a file is named as a GGUF."""
    return name.lower().endswith(GGUF_SUFFIX)


def without_gguf_suffix(name: str) -> str:
    """Return a file's name without the suffix of a GGUF, if it has it."""
    return name[: -len(GGUF_SUFFIX)] if is_gguf_name(name) else name


def is_weights_name(name: str) -> bool:
    """Return whether a file is named as weights of a transformers directory."""
    return name.lower().endswith(WEIGHT_SUFFIXES)


def is_safetensors_name(name: str) -> bool:
    """Return whether a file is named as safetensors."""
    return name.lower().endswith(SAFETENSORS_SUFFIX)


def weights_read(names: Iterable[str]) -> list[str]:
    """Return which of a directory's files transformers reads: safetensors before any others."""
    weights = [name for name in names if is_weights_name(name)]
    return [name for name in weights if is_safetensors_name(name)] or weights


def is_gguf(path: Path) -> bool:
    """Return whether a regular file begins as a GGUF does, whatever its name.

    Raises:
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        return False
    with open(path, "rb") as file:
        return file.read(len(GGUF_MAGIC)) == GGUF_MAGIC
