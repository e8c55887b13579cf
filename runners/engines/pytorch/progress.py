"""Tells how far a load has come: by the loader's own bars, or by the memory that it fills."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from runners.engines.pytorch import adapter
from runners.protocol import JobProgress

_LOOK_SECONDS = 2.0  # bars are quicker than that, where there are any


@contextlib.contextmanager
def load_reported(progress: JobProgress, weight_bytes: int) -> Iterator[None]:
    """Report a load while the body runs, so that a long one is not taken for a hung one.

    By the bars of transformers' loader; while those say nothing, because a version has none or
    none that can be heard, by how much memory this process has taken.

    Args:
        progress: takes a step, how much of it is done, and its total.
        weight_bytes: the size of the weight files.
    """
    told = threading.Event()

    def tell(step: str, done: float, total: float) -> None:
        told.set()
        progress(step, done, total)

    heard = adapter.bars_heard(lambda items, total: Bar(items, total, tell))
    with heard, _growth_reported(progress, weight_bytes, told):
        yield


@contextlib.contextmanager
def _growth_reported(progress: JobProgress, total: int, told: threading.Event) -> Iterator[None]:
    """Report the growth of this process from a thread, until something else is ``told``."""
    done = threading.Event()

    def watch() -> None:
        before = most = _resident_bytes()
        while not done.wait(_LOOK_SECONDS) and not told.is_set():
            now = _resident_bytes()
            if now > most:  # what takes no memory any more is no sign of life
                most = now
                progress("weights", min(now - before, total), total)

    def watch_quietly() -> None:
        with contextlib.suppress(Exception):  # a stop is for the thread that loads
            watch()

    watcher = threading.Thread(target=watch_quietly, name="growth of a load", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


class Bar:
    """Stands in for a progress bar and reports at most twenty times."""

    def __init__(self, items: Any, total: int | None, progress: JobProgress) -> None:
        self._items = items
        self._total = total or (len(items) if hasattr(items, "__len__") else 0)
        self._done = self._told = 0
        self._progress = progress

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_options: None

    def update(self, count: float = 1) -> None:
        """Take that more was done."""
        self._done += int(count)
        is_last = self._done == self._total
        if self._total and (is_last or (self._done - self._told) * 20 >= self._total):
            self._told = self._done
            self._progress("weights", min(self._done, self._total), self._total)
