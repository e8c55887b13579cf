"""Reading the next model's files into the page cache while the current one writes.

Only where that one leaves a core free: reading costs 0.4 ms of processor time a megabyte, which a
model that has every core loses (measured: 6 % of its speed over 96 tokens).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

from comparator.core.models import ModelInfo, ModelType
from comparator.core.quiet import quiet
from comparator.formats.weights import weight_files
from runners.machine import cores, memory

SPARE_FACTOR = 2.0  # only where this many times the model's size is available
# Linux reads no more for one call than a device takes at once, or reads ahead by itself: 128 KiB
# with its defaults (force_page_cache_ra in mm/readahead.c).
STEP_BYTES = 128 * 1024
STEPS_AT_ONCE = 8
PAUSE_SECONDS = 0.005  # after these, so that others have the device too


def begin(model: ModelInfo, threads: int) -> threading.Thread | None:
    """Start reading a model's files in the background; does nothing where it cannot help.

    It ends with the files, or when no model runs any more.

    Args:
        model: whose files are read.
        threads: with how many the model that writes computes; 0 where that is not known.

    Returns:
        The thread that reads, or None where nothing is read.
    """
    if not 0 < threads < cores.free_physical_cores():
        return None
    if not hasattr(os, "posix_fadvise") or model.model_type is ModelType.CUSTOM:
        return None
    if memory.available_bytes() < model.size * SPARE_FACTOR:
        return None
    thread = threading.Thread(target=_advise, args=(Path(model.path),), daemon=True)
    thread.start()
    return thread


def _advise(path: Path) -> None:
    with contextlib.suppress(OSError):
        for file in [path] if path.is_file() else weight_files(path):
            with open(file, "rb") as opened:
                _advise_in_steps(opened.fileno())


def _advise_in_steps(descriptor: int) -> None:
    for number, offset in enumerate(range(0, os.fstat(descriptor).st_size, STEP_BYTES), 1):
        if not quiet.is_measuring:
            return
        os.posix_fadvise(descriptor, offset, STEP_BYTES, os.POSIX_FADV_WILLNEED)
        if not number % STEPS_AT_ONCE:
            time.sleep(PAUSE_SECONDS)
