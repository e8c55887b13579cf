"""What is wrong with models in the library, found by reading their headers; kept in a cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.core.quiet import quiet
from comparator.formats import checks, packed_weights
from comparator.formats.shards import shards_of
from comparator.storage import database
from comparator.storage.store import Kind, Store

CHECKS = b"3"  # to be raised whenever other things are checked of the same files
_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS checks (
    path TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,
    problem TEXT
)
"""
_KIND = Kind(
    "Checks of models", _SCHEMA, _SCHEMA_VERSION, lambda: database.cache_path("checks.sqlite3")
)


def mark_problems(models: Sequence[ModelInfo], path: Path | None = None) -> None:
    """Give every model that cannot be loaded its ``problem``, as a run would say it.

    Reads the headers of files that are new or have changed since the last time: for many it
    takes long. A model that needs code of its own is none with a problem; it may be trusted.

    Args:
        models: what to check.
        path: the database of the last time; None takes the one in the user's cache folder.
    """
    store = Store(_KIND, path)
    try:
        for model in models:
            quiet.rest()
            if model.problem is None:
                _mark(model, store)
    finally:
        store.close()


def _mark(model: ModelInfo, store: Store) -> None:
    key, stamp = _key(model), _stamp(model)
    problem = _kept(store, key, stamp) if stamp else ()
    if not problem:
        problem = (_problem(model),)
        if stamp:
            _keep(store, key, stamp, problem[0])
    if problem[0]:
        model.location = replace(model.location, problem=problem[0])


def _kept(store: Store, key: str, stamp: str) -> tuple[str | None, ...]:
    """Return the problem found last time, alone in a tuple; an empty one where it is unknown."""
    question = "SELECT problem FROM checks WHERE path = ? AND stamp = ?"
    return store.ask(lambda connection: connection.execute(question, (key, stamp)).fetchone()) or ()


def _keep(store: Store, key: str, stamp: str, problem: str | None) -> None:
    """Note a check; what is not kept is checked again."""
    statement, row = "INSERT OR REPLACE INTO checks VALUES (?, ?, ?)", (key, stamp, problem)
    store.ask(lambda connection: connection.execute(statement, row))


def _problem(model: ModelInfo) -> str | None:
    try:
        checks.check(model, ModelConfig(trust_remote_code=True))
    except ModelLoadError as error:
        return str(error)
    return None


def _key(model: ModelInfo) -> str:
    return os.fsencode(model.path).decode("utf-8", "backslashreplace")


def _stamp(model: ModelInfo) -> str | None:
    """Return what changes when a file of the model does; None where one cannot be seen."""
    digest = hashlib.sha256(CHECKS)
    try:
        for path in sorted(_files(model)):
            status = os.stat(path)
            line = f"{os.path.basename(path)!a} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(line.encode())
    except OSError:
        return None
    if model.model_type is ModelType.PYTORCH:  # some need a package that may come
        digest.update(packed_weights.installed_packages().encode())
    return digest.hexdigest()


def _files(model: ModelInfo) -> Iterator[str]:
    if model.model_type is ModelType.PYTORCH and os.path.isdir(model.path):
        yield from (entry.path for entry in os.scandir(model.path))
    else:
        yield from (str(path) for path in shards_of(Path(model.path)))
