"""Which models are the same bytes: one model may lie in several places.

Two names of one file are known at once, by device and inode. Copies are known by their SHA-256,
which is read from the name where the store is named by content (Ollama, the Hub's cache), and
otherwise from a cache; computing it is for whoever asks.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from comparator.core.models import ModelInfo, ModelType
from comparator.storage import database

FileKey = tuple[tuple[str, int, int], ...]
_CHUNK_BYTES = 4 * 1024 * 1024
_BY_CONTENT = re.compile(r"^(?:sha256[-:])?([0-9a-f]{64})$")
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)
_PARTS_OF_FOLDER = (".safetensors", ".bin", ".pt", ".pth", ".json", ".jinja", ".model", ".txt")
_MOST_PARTS = 10_000
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    noted REAL NOT NULL
)
"""


@dataclass(frozen=True)
class Found:
    """A model in one place; ``key`` is equal for other names of the same files, None if unknown."""

    model: ModelInfo
    key: FileKey | None


def key_of(files: Mapping[str, os.stat_result]) -> FileKey | None:
    """Return a key by device and inode of a model's files; None where there are no inodes."""
    key = tuple(sorted((name, status.st_dev, status.st_ino) for name, status in files.items()))
    return key if all(inode for _name, _device, inode in key) else None


def merged(found: Iterable[Found]) -> list[ModelInfo]:
    """Return each model once, with all its places; the first one found is the one used."""
    known: dict[tuple[ModelType, FileKey], ModelInfo] = {}
    result: list[ModelInfo] = []
    for entry in found:
        model = entry.model
        earlier = known.get((model.model_type, entry.key)) if entry.key else None
        if earlier is not None:
            _add_places(earlier, model)
            continue
        model.config["places"] = places_of(model)
        result.append(model)
        if entry.key:
            known[model.model_type, entry.key] = model
    return result


def places_of(model: ModelInfo) -> list[dict[str, str]]:
    """Return where a model lies: source, path and name there; the first is the one used."""
    if model.config.get("places"):
        return [dict(place) for place in model.config["places"]]
    return [
        {"source": model.config.get("source", "folder"), "path": model.path, "name": model.name}
    ]


def place_ids(model: ModelInfo) -> set[str]:
    """Return the ids under which a model is known: one for each of its places."""
    places = [ModelInfo("", "", place["path"], model.model_type, 0) for place in places_of(model)]
    return {model.id, *(place.id for place in places)}


def _add_places(model: ModelInfo, other: ModelInfo) -> None:
    places = places_of(model)
    places += [place for place in places_of(other) if place not in places]
    model.config["places"] = places


def merged_by_content(
    models: Iterable[ModelInfo], digest_of: Callable[[Path], str | None]
) -> list[ModelInfo]:
    """Return models with copies of the same content merged, as far as digests are known.

    Only models of one engine and size are looked at; ``digest_of`` returns None where it does
    not know the SHA-256 of a file.
    """
    models = list(models)
    sizes = Counter((model.model_type, model.size) for model in models)
    first: dict[tuple[ModelType, tuple[tuple[str, str], ...]], ModelInfo] = {}
    result: list[ModelInfo] = []
    for model in models:
        alone = sizes[model.model_type, model.size] == 1 or model.problem
        content = None if alone else _content(model, digest_of)
        earlier = first.get((model.model_type, content)) if content else None
        if earlier is None:
            result.append(model)
            if content:
                first[model.model_type, content] = model
        else:
            _add_places(earlier, model)
    return result


def _content(
    model: ModelInfo, digest_of: Callable[[Path], str | None]
) -> tuple[tuple[str, str], ...] | None:
    try:
        parts = list(_parts(model))
    except OSError:  # it went away, or its folder cannot be read
        return None
    digests = {name: digest_of(path) for name, path in parts}
    content = tuple((name, digest) for name, digest in digests.items() if digest)
    return content if content and len(content) == len(parts) else None


def _parts(model: ModelInfo) -> Iterator[tuple[str, Path]]:
    """Yield the files that make a model what it is, each with its name inside the model."""
    path = Path(model.path)
    if path.is_dir():
        names = sorted(n for n in os.listdir(path) if n.lower().endswith(_PARTS_OF_FOLDER))
        yield from ((name, path / name) for name in names)
    elif match := _SHARD.search(path.name):
        stem = path.name[: match.start()]
        names = sorted(name for name in os.listdir(path.parent) if name.startswith(f"{stem}-0"))
        shards = [name for name in names if _SHARD.search(name)][:_MOST_PARTS]
        yield from ((str(number), path.with_name(name)) for number, name in enumerate(shards))
    else:
        yield "", path


def digest_in_name(path: Path) -> str | None:
    """Return the SHA-256 that a store named by content gives a file, links followed.

    Ollama names a blob ``sha256-`` and 64 digits, the Hub's cache a large file by 64 digits.
    """
    match = _BY_CONTENT.match(os.path.basename(os.path.realpath(path)))
    return match[1] if match else None


class Digests:
    """SHA-256 of files, kept by path, size and time of change; safe for several programs.

    Args:
        path: the database; None takes the one in the user's cache folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def known(self, path: Path) -> str | None:
        """Return a file's digest if it is known without reading the file."""
        try:
            status = path.stat()
        except OSError:
            return None
        return digest_in_name(path) or self._kept(path, status)

    def of(self, path: Path) -> str | None:
        """Return a file's digest, reading all of it where need be; None if it cannot be read."""
        digest = self.known(path)
        if digest is None:
            try:
                status = path.stat()
                digest = _sha256(path)
            except OSError:
                return None
            self._keep(path, status, digest)
        return digest

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _kept(self, path: Path, status: os.stat_result) -> str | None:
        values = (_text(path), status.st_size, status.st_mtime_ns)
        question = "SELECT sha256 FROM digests WHERE path = ? AND size = ? AND mtime_ns = ?"
        rows = self._ask(question, values)
        return str(rows[0][0]) if rows else None

    def _keep(self, path: Path, status: os.stat_result, digest: str) -> None:
        row = (_text(path), status.st_size, status.st_mtime_ns, digest, time.time())
        self._ask("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", row)

    def _ask(self, statement: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        with self._lock:
            try:
                if self._connection is None:
                    place = self._path or database.facts_path().with_name("digests.sqlite3")
                    self._connection = database.connect(place, _SCHEMA, _SCHEMA_VERSION)
                with self._connection:
                    return self._connection.execute(statement, values).fetchall()
            except (sqlite3.Error, OSError):
                return []  # a digest that is not kept is computed again


def _text(path: Path) -> str:
    return os.fsencode(os.path.realpath(path)).decode("utf-8", "backslashreplace")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
