"""Reading the next model's files into the page cache while the current one writes."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from comparator.core.models import ModelInfo, ModelType
from comparator.formats.weights import weight_files
from runners.machine import memory

SPARE_FACTOR = 2.0  # only where this many times the model's size is available


def begin(model: ModelInfo) -> None:
    """Start reading a model's files in the background; does nothing where it cannot help."""
    if not hasattr(os, "posix_fadvise") or model.model_type is ModelType.CUSTOM:
        return
    if memory.available_bytes() < model.size * SPARE_FACTOR:
        return
    threading.Thread(target=_advise, args=(Path(model.path),), daemon=True).start()


def _advise(path: Path) -> None:
    with contextlib.suppress(OSError):
        for file in [path] if path.is_file() else weight_files(path):
            with open(file, "rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
