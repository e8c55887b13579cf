"""Small JSON files of a model's folder, read within bounds."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError

LONGEST_CONFIG_BYTES = 16 * 1024 * 1024


def read_config(directory: Path) -> dict[str, Any]:
    """Return the ``config.json`` of a transformers directory.

    Raises:
        ModelLoadError: it is missing, unreadable, not JSON or no object.
    """
    return read_json(directory / "config.json")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file.

    Raises:
        ModelLoadError: it is missing, unreadable, not JSON or no object.
    """
    try:
        with open(path, encoding="utf-8", opener=without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ModelLoadError(f"{path} is not a regular file.")
            text = file.read(LONGEST_CONFIG_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"Cannot read {path}: {error}.") from error
    if len(text) > LONGEST_CONFIG_BYTES:
        raise ModelLoadError(f"{path} is larger than any {path.name}. Download the model again.")
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelLoadError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ModelLoadError(f"{path} must be a JSON object, not {type(config).__name__}.")
    return config


def without_waiting(path: str, flags: int) -> int:
    """Open also a pipe without waiting for its writer; an ``opener`` of ``open``."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
