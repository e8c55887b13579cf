"""Small SQLite files: a cache of facts, and what runs have shown. Several programs may use them."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from pathlib import Path

import platformdirs

NAME = "multi-llm-comparator"
BUSY_SECONDS = 5.0
_log = logging.getLogger(__name__)


def facts_path() -> Path:
    """Return where facts of models are cached; COMPARATOR_CACHE_DIR sets another folder."""
    folder = os.environ.get("COMPARATOR_CACHE_DIR") or platformdirs.user_cache_dir(
        NAME, appauthor=False
    )
    return Path(folder) / "facts.sqlite3"


def measurements_path() -> Path:
    """Return where measurements are kept; COMPARATOR_DATA_DIR sets another folder."""
    folder = os.environ.get("COMPARATOR_DATA_DIR") or platformdirs.user_data_dir(
        NAME, appauthor=False
    )
    return Path(folder) / "measurements.sqlite3"


def connect(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """Open a database, or make it; usable from any thread, by one at a time.

    A damaged file, or one of another version, is put aside and a new one begun. In a place
    where nothing can be written the database lives in memory. Both are said in the log.

    Args:
        path: the file; its folder is made.
        schema: statements that make what is missing.
        version: of the schema (SQLite's user_version).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _opened(path, schema, version)
    except sqlite3.OperationalError as error:  # read-only, full, or no place for files
        return _in_memory(path, schema, version, error)
    except sqlite3.DatabaseError as error:
        _put_aside(path, error)
    except OSError as error:
        return _in_memory(path, schema, version, error)
    try:
        return _opened(path, schema, version)
    except (sqlite3.Error, OSError) as error:
        return _in_memory(path, schema, version, error)


def _opened(path: Path | str, schema: str, version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        _use_log_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, version):
            raise sqlite3.DatabaseError(f"its version is {found}, not {version}")
        connection.executescript(f"{schema}; PRAGMA user_version = {int(version)};")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_log_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once; who makes the file may just be at it."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _in_memory(path: Path, schema: str, version: int, error: Exception) -> sqlite3.Connection:
    _log.warning("%s cannot be used (%s): what belongs there is kept in memory.", path, error)
    return _opened(":memory:", schema, version)


def _put_aside(path: Path, error: Exception) -> None:
    """Rename a file that is no database of ours, so that nothing in it is lost."""
    aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
    _log.warning("%s is damaged (%s): it is now %s, and a new one begins.", path, error, aside.name)
    with contextlib.suppress(OSError):
        path.replace(aside)
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + ending).unlink()
