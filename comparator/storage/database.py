"""Small SQLite files: a cache of facts, and what runs have shown. Several programs may use them."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

NAME = "multi-llm-comparator"
BUSY_SECONDS = 5.0
ASIDE = ".broken-"
_log = logging.getLogger(__name__)


class LaterVersionError(sqlite3.Error):
    """A file was made by a later version of this program; it is left alone."""


@dataclass(frozen=True)
class Opened:
    """A database that can be used.

    ``trouble`` says why it lives in memory, or can only be read; empty where all is well.

    It is usable from any thread, by one at a time.
    """

    connection: sqlite3.Connection
    trouble: str = ""


def cache_path(name: str) -> Path:
    """Return where what can be found out again is kept; COMPARATOR_CACHE_DIR sets the folder."""
    folder = os.environ.get("COMPARATOR_CACHE_DIR") or platformdirs.user_cache_dir(
        NAME, appauthor=False
    )
    return Path(folder) / name


def facts_path() -> Path:
    """Return where facts of models are cached."""
    return cache_path("facts.sqlite3")


def data_path(name: str) -> Path:
    """Return where what cannot be found out again is kept; COMPARATOR_DATA_DIR sets the folder."""
    folder = os.environ.get("COMPARATOR_DATA_DIR") or platformdirs.user_data_dir(
        NAME, appauthor=False
    )
    return Path(folder) / name


def measurements_path() -> Path:
    """Return where measurements are kept."""
    return data_path("measurements.sqlite3")


def history_path() -> Path:
    """Return where comparisons are kept."""
    return data_path("history.sqlite3")


def suites_path() -> Path:
    """Return where runs of suites are kept."""
    return data_path("suites.sqlite3")


def opened(
    path: Path,
    schema: str,
    version: int,
    upgrades: Mapping[int, Sequence[str]] | None = None,
    busy_seconds: float = BUSY_SECONDS,
    is_precious: bool = False,
    is_durable: bool = False,
) -> Opened:
    """Open a database, or make it.

    A damaged file, or one of another version, is put aside and a new one begun. In a place
    where nothing can be written the database lives in memory. Both are said in the log.

    Args:
        path: the file; its folder is made.
        schema: statements that make what is missing.
        version: of the schema (SQLite's user_version).
        upgrades: statements that lead from a version to the next one, by the former.
        busy_seconds: how long to wait for another program that writes.
        is_precious: what is in it cannot be had again: a file of a later version is left alone,
            one that cannot be written is read, and nothing lives in memory.
        is_durable: each transaction is on the disk when it is done, also where the machine ends
            suddenly; without it the last ones may be gone then, and the file is whole.

    Raises:
        sqlite3.Error: a precious file that cannot even be read; LaterVersionError for a later one.
        OSError: there is no place for a precious file.
    """
    plan = _Plan(schema, version, upgrades or {}, busy_seconds, is_precious, is_durable)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_precious and not path.exists():  # what people asked is not for others of the machine
            path.touch(0o600)
        return Opened(_open(path, plan))
    except LaterVersionError:
        raise
    except sqlite3.OperationalError as error:  # read-only, full, or no place for files
        if is_precious and is_busy(error):  # read without its lock it would be what it once was
            raise
        return _to_be_read(path, plan, error) if is_precious else _in_memory(path, plan, error)
    except sqlite3.DatabaseError as error:
        put_aside(path, error)
    except OSError as error:
        return _to_be_read(path, plan, error) if is_precious else _in_memory(path, plan, error)
    try:
        return Opened(_open(path, plan))
    except (sqlite3.Error, OSError) as error:
        if is_precious:
            raise
        return _in_memory(path, plan, error)


@dataclass(frozen=True)
class _Plan:
    schema: str
    version: int
    upgrades: Mapping[int, Sequence[str]]
    busy_seconds: float
    is_precious: bool = False
    is_durable: bool = False


def _open(path: Path | str, plan: _Plan) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=plan.busy_seconds, check_same_thread=False)
    try:
        if plan.is_precious:
            _refuse_later(connection, plan)  # before anything is written, its journal's mode too
        _use_log_ahead(connection, plan.busy_seconds)
        connection.execute(f"PRAGMA synchronous = {'FULL' if plan.is_durable else 'NORMAL'}")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        found = _upgraded(connection, found, plan)
        if found not in (0, plan.version):
            raise sqlite3.DatabaseError(f"its version is {found}, not {plan.version}")
        connection.executescript(plan.schema)
        if found != plan.version:  # a write, for which another program would be waited for
            connection.execute(f"PRAGMA user_version = {int(plan.version)}")
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_later(connection: sqlite3.Connection, plan: _Plan) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > plan.version:
        raise LaterVersionError(
            f"the file is of a later version ({found}, and this program knows {plan.version}), so "
            "it is left alone; update the comparator, or name another folder by COMPARATOR_DATA_DIR"
        )


def _to_be_read(path: Path, plan: _Plan, error: Exception) -> Opened:
    """Open a file that cannot be written, so that what is in it can be seen.

    Raises:
        Exception: the one given, where it cannot be read either.
    """
    reason = error.strerror if isinstance(error, OSError) else str(error)
    address = path.absolute().as_uri()
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # else a journal would be made beside it
        connection = sqlite3.connect(
            f"{address}?{mode}", uri=True, timeout=plan.busy_seconds, check_same_thread=False
        )
        try:
            _refuse_later(connection, plan)
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found == plan.version:
                _log.warning("%s can only be read (%s).", path, reason)
                return Opened(connection, f"{path.name} can only be read ({reason})")
        except LaterVersionError:
            connection.close()
            raise
        except sqlite3.Error:
            pass
        connection.close()
    raise error


def _upgraded(connection: sqlite3.Connection, found: int, plan: _Plan) -> int:
    """Lead a file of an earlier version as far as there are statements; return its version."""
    while found in plan.upgrades and found < plan.version:
        connection.execute("BEGIN IMMEDIATE")  # of two programs one is first
        with connection:
            (now,) = connection.execute("PRAGMA user_version").fetchone()
            if now == found:
                for statement in plan.upgrades[found]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {found + 1}")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    return found


def _use_log_ahead(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Let readers and a writer work at once; who makes the file may just be at it."""
    end = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _in_memory(path: Path, plan: _Plan, error: Exception) -> Opened:
    _log.warning("%s cannot be used (%s): what belongs there is kept in memory.", path, error)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Opened(_open(":memory:", plan), f"{path.name} cannot be used ({reason})")


def is_busy(error: Exception) -> bool:
    """Return whether another program holds the file, so that opening it again helps nobody."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def is_damage(error: Exception) -> bool:
    """Return whether a file is no database, or no longer a whole one."""
    told = str(error)
    return isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in told or "not a database" in told
    )


def put_aside(path: Path, error: Exception) -> None:
    """Rename a file that is no database of ours, so that nothing in it is lost."""
    aside = path.with_name(f"{path.name}{ASIDE}{time.strftime('%Y%m%d-%H%M%S')}")
    _log.warning("%s is damaged (%s): it is now %s, and a new one begins.", path, error, aside.name)
    with contextlib.suppress(OSError):
        path.replace(aside)
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + ending).unlink()
