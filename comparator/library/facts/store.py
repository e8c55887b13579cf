"""A cache of facts: headers are read once, until a file changes. Programs may share it."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import msgspec

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.formats.shards import shards_of
from comparator.library.facts.gguf import facts_of_gguf
from comparator.library.facts.transformers import facts_of_directory
from comparator.library.facts.values import ModelFacts
from comparator.storage import database
from comparator.storage.store import Kind, Store

EXTRACTOR = 3  # to be raised whenever other facts are read from the same files
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (
    path TEXT PRIMARY KEY, stamp TEXT NOT NULL, facts BLOB NOT NULL
)
"""
_PARTS = (".json", ".safetensors", ".bin", ".jinja", ".md")
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(ModelFacts).decode
_KIND = Kind("Facts of models", _SCHEMA, _SCHEMA_VERSION, database.facts_path)


class FactsStore:
    """Facts by path, size and time of change; of a folder, by those of its files.

    Safe to use from several threads and programs. A store that cannot be read or written costs
    time, never an answer.

    Args:
        path: the file; None takes the one in the user's cache folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._store = Store(_KIND, path)
        self._lock = threading.Lock()
        self._rows: dict[str, tuple[str, bytes]] | None = None
        self._facts: dict[str, tuple[str, ModelFacts]] = {}

    def known(self, model: ModelInfo) -> ModelFacts | None:
        """Return the facts of a model if they are in the cache; no header is read."""
        return self._known(model.path, stamp_of(model))

    def facts_of(self, model: ModelInfo) -> ModelFacts:
        """Return the facts of a model, from the cache or its files; empty ones if unreadable."""
        stamp = stamp_of(model)
        found = self._known(model.path, stamp)
        if found is None:
            found = read_facts(model)
            if stamp:
                self._keep(model.path, stamp, found)
        return found

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._rows = None
        self._store.close()

    def _known(self, path: str, stamp: str) -> ModelFacts | None:
        if not stamp:
            return None
        at_hand = self._facts.get(path)
        if at_hand is not None and at_hand[0] == stamp:
            return at_hand[1]
        with self._lock:
            row = self._all_rows().get(path)
        if row is None or row[0] != stamp:
            return None
        try:
            facts = _decode(row[1])
        except msgspec.MsgspecError:
            return None
        self._facts[path] = stamp, facts
        return facts

    def _keep(self, path: str, stamp: str, facts: ModelFacts) -> None:
        self._facts[path] = stamp, facts
        row = (os.fsencode(path).decode("latin-1"), stamp, _encode(facts))
        self._store.ask(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", row
            )
        )

    def _all_rows(self) -> dict[str, tuple[str, bytes]]:
        """Read the whole table once: 1000 rows take less time than 1000 questions."""
        if self._rows is None:
            self._rows = self._store.ask(_read) or {}
        return self._rows


def _read(connection: sqlite3.Connection) -> dict[str, tuple[str, bytes]]:
    rows = {}
    for path, stamp, facts in connection.execute("SELECT path, stamp, facts FROM facts"):
        try:
            rows[os.fsdecode(path.encode("latin-1"))] = stamp, facts
        except (AttributeError, UnicodeError):  # not a row of ours
            continue
    return rows


def read_facts(model: ModelInfo) -> ModelFacts:
    """Return the facts of a model from its files; empty ones where they cannot be read."""
    try:
        if model.model_type is ModelType.GGUF:
            return facts_of_gguf(Path(model.path), model.name)
        if model.model_type is ModelType.PYTORCH:
            return facts_of_directory(Path(model.path))
    except (ModelLoadError, OSError):
        pass
    return ModelFacts()


def stamp_of(model: ModelInfo) -> str:
    """Return a text that changes with the files of a model; empty where there are none."""
    path = Path(model.path)
    try:
        if model.model_type is ModelType.GGUF:
            shards = (shard.stat() for shard in shards_of(path) if shard.exists())
            parts = [f"{status.st_size}:{status.st_mtime_ns}" for status in shards]
        elif model.model_type is ModelType.PYTORCH:
            parts = _parts_of_folder(path)
        else:
            return ""
    except (OSError, ValueError):
        return ""
    return f"{EXTRACTOR}/{'/'.join(parts)}" if parts else ""


def _parts_of_folder(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        files = [entry for entry in entries if entry.name.endswith(_PARTS)]
        parts = []
        for entry in sorted(files, key=lambda entry: entry.name):
            status = entry.stat()
            parts.append(f"{entry.name}:{status.st_size}:{status.st_mtime_ns}")
    return [*parts, str(path.stat().st_mtime_ns)]
