"""Headers of safetensors files: which tensors there are, without their bytes.

Format: https://huggingface.co/docs/safetensors - eight bytes of length, then that much JSON.
"""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.formats.gguf_header import MOST_WEIGHTS
from comparator.formats.json_files import without_waiting

LONGEST_HEADER_BYTES = 16 * 1024 * 1024
_LENGTH = struct.Struct("<Q")


def read_sizes(path: Path) -> dict[str, tuple[int, int]]:
    """Return, for each type of number, how many numbers of it a file has and in how many bytes.

    Raises:
        ModelLoadError: the file is no safetensors file, and why.
    """
    return _summed(path, _read_header(path))


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors by their names.

    Raises:
        ModelLoadError: the file is no safetensors file, and why.
    """
    content = _read_header(path)
    content.pop("__metadata__", None)
    _summed(path, content)
    return {name: tuple(entry["shape"]) for name, entry in content.items()}


def _read_header(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb", opener=without_waiting) as file:
            head = file.read(_LENGTH.size)
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
            if not 2 <= length <= min(LONGEST_HEADER_BYTES, os.fstat(file.fileno()).st_size):
                raise _damaged(path, f"a header of {length} bytes")
            content = json.loads(file.read(length))
    except OSError as error:
        raise ModelLoadError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(content, dict):
        raise _damaged(path, "its header is no object")
    return content


def _summed(path: Path, content: dict[str, Any]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for name, entry in content.items():
        if name == "__metadata__":
            continue
        kind, number, size = _of_tensor(path, entry)
        numbers, sizes = sums.get(kind, (0, 0))
        sums[kind] = numbers + number, sizes + size
    return sums


def _of_tensor(path: Path, entry: Any) -> tuple[str, int, int]:
    try:
        begin, end = entry["data_offsets"]
        kind, number, size = str(entry["dtype"]), math.prod(entry["shape"]), end - begin
        if not all(type(value) is int and 0 <= value < MOST_WEIGHTS for value in (number, size)):
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(path, "a tensor without its type, shape or place") from error
    return kind, number, size


def _damaged(path: Path, what: str) -> ModelLoadError:
    return ModelLoadError(f"{path.name} is not a safetensors file: {what}. Download it again.")
