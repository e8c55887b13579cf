"""Fetching from the local hub, as tests of several folders do."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from pathlib import Path

from comparator.hub import catalogue
from comparator.hub.downloads import Download, DownloadStatus
from comparator.hub.selection import pick

END_SECONDS = 120.0


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes without order, always the same ones."""
    return random.Random(seed).randbytes(size)


def fetch(name: str, folder: Path, wanted: str | None = None) -> DownloadStatus:
    """Fetch something to its end, through a real process."""
    repository = catalogue.look(name)
    download = Download(repository, pick(repository.choices, wanted, name), folder).start()
    assert download.join(END_SECONDS)
    return download.status()


def sha256(path: str | Path) -> str:
    """Return a file's checksum."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait for a condition; fail when the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.01)
