"""How much of a model's files is cached when its run begins, and making that alike for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from comparator.comparison.request import Files
from comparator.core.models import ModelInfo
from comparator.formats.weights import weight_files
from runners.machine import page_cache

COLD_AT_MOST = 0.05  # of the files; of more a load is no cold one
WARM_AT_LEAST = 0.95
UNKNOWN = "This system does not tell how much of its files is in the file cache."
NOT_COLD = "{:.0%} of its files stayed in the file cache, so its load is no cold one."
NOT_WARM = "Only {:.0%} of its files stayed in the file cache, so its load is no warm one."


def prepared(
    model: ModelInfo, wanted: Files, should_stop: Callable[[], bool]
) -> tuple[float | None, str]:
    """Drop or read a model's files as wanted.

    Returns:
        How much of them is cached now (0 to 1; None where nobody tells), and a sentence where
        that is not what was wanted.
    """
    try:
        files = [file for file in weight_files(Path(model.path)) if file.is_file()]
        if not files:
            return None, ""
        if wanted is Files.COLD:
            return _judged(page_cache.cold(files), wanted)
        if wanted is Files.WARM:
            return _judged(page_cache.warm(files, should_stop), wanted)
        return page_cache.files_cached(files), ""
    except OSError as error:
        return None, f"The file cache was left as it is: {error}." if wanted.value else ""


def _judged(cached: float | None, wanted: Files) -> tuple[float | None, str]:
    if cached is None:
        return None, UNKNOWN
    if wanted is Files.COLD and cached > COLD_AT_MOST:
        return cached, NOT_COLD.format(cached).replace("%", " %")
    if wanted is Files.WARM and cached < WARM_AT_LEAST:
        return cached, NOT_WARM.format(cached).replace("%", " %")
    return cached, ""
