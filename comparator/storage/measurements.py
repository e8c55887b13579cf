"""What runs on this machine have shown of each model: its speed, its memory, when it was used.

One row a model in ``measurements.sqlite3`` of the user's data folder. A model is known by its
path and size, so that another file in its place begins anew.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from comparator.core.models import InferenceResult, ModelInfo
from comparator.core.text import without_surrogates
from comparator.storage import database
from comparator.storage.store import Kind, Store

FEWEST_TOKENS_FOR_SPEED = 16  # of fewer tokens the speed is chance
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    last_used REAL NOT NULL,
    runs INTEGER NOT NULL,
    best_tokens_per_second REAL,
    peak_bytes INTEGER NOT NULL,
    estimated_bytes INTEGER NOT NULL,
    PRIMARY KEY (path, size)
)
"""
_ADD = """
INSERT INTO runs VALUES (?, ?, ?, 1, ?, ?, ?)
ON CONFLICT (path, size) DO UPDATE SET
    last_used = excluded.last_used,
    runs = runs.runs + 1,
    best_tokens_per_second = max(
        coalesce(runs.best_tokens_per_second, excluded.best_tokens_per_second),
        coalesce(excluded.best_tokens_per_second, runs.best_tokens_per_second)
    ),
    peak_bytes = excluded.peak_bytes,
    estimated_bytes = excluded.estimated_bytes
"""
_COLUMNS = "last_used, best_tokens_per_second, runs, peak_bytes, estimated_bytes"
_KIND = Kind("Measurements", _SCHEMA, SCHEMA_VERSION, database.measurements_path)


@dataclass(frozen=True)
class Measured:
    """What is known of a model from its runs here.

    Attributes:
        last_used: seconds since the epoch.
        best_tokens_per_second: decode speed of its fastest undisturbed run; None before a long one.
        runs: how many there were.
        peak_bytes: private memory (USS) at the peak of the last run.
        estimated_bytes: what was expected before it.
    """

    last_used: float
    best_tokens_per_second: float | None
    runs: int
    peak_bytes: int
    estimated_bytes: int


class Measurements:
    """The store; safe to use from several threads and programs at once.

    A store that cannot be written or read is told in the log and never fails a run.

    Args:
        path: the file; None takes the one in the user's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._store = Store(_KIND, path)

    def add(self, result: InferenceResult, estimated_bytes: int) -> None:
        """Note a run; one whose process never held memory, such as a refusal, is not noted."""
        peak = result.stats.memory_usage
        if result.model is None or not peak:
            return
        row = (*_key(result.model), time.time(), _speed(result), peak, estimated_bytes)

        self._store.ask(lambda connection: connection.execute(_ADD, row))

    def of(self, model: ModelInfo) -> Measured | None:
        """Return what is known of a model; None where it never ran here."""
        return self.of_all([model]).get(model.id)

    def of_all(self, models: Iterable[ModelInfo]) -> dict[str, Measured]:
        """Return what is known of each model that ran here, by its id."""
        rows = self._store.ask(_read) or {}
        return {model.id: rows[_key(model)] for model in models if _key(model) in rows}

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._store.close()


def _read(connection: sqlite3.Connection) -> dict[tuple[str, int], Measured]:
    found = connection.execute(f"SELECT path, size, {_COLUMNS} FROM runs")
    return {(path, size): Measured(*values) for path, size, *values in found}


def _key(model: ModelInfo) -> tuple[str, int]:
    return without_surrogates(os.path.abspath(model.path)), model.size


def _speed(result: InferenceResult) -> float | None:
    if result.error or result.stats.token_count < FEWEST_TOKENS_FOR_SPEED:
        return None
    if "decode" in result.stats.disturbed:  # others had a part of it
        return None
    return result.stats.tokens_per_second
