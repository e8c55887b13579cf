"""How far llama.cpp has come with a load, told to who asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comparator.core.exceptions import ModelLoadError

Progress = Callable[[float], bool]


class ProgressListener:
    """Takes llama.cpp's calls during a load; an error in them stops it and is raised after."""

    def __init__(self, llama: Any, progress: Progress | None) -> None:
        self._progress = progress
        self._error: BaseException | None = None
        self._stopped = False
        self.callback = llama.llama_progress_callback(self._take)

    def _take(self, share: float, _data: Any) -> bool:
        if self._progress is None:
            return True
        try:
            self._stopped = not self._progress(share)
        except BaseException as error:
            self._error = error
            return False
        return not self._stopped

    def raise_what_happened(self) -> None:
        """Raise what the listener raised, or that the load was stopped."""
        if self._error is not None:
            raise self._error
        if self._stopped:
            raise ModelLoadError("The load was stopped.")
