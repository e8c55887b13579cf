"""One SQLite file and how it is used: opened late, begun anew where damaged, never in the way."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from comparator.storage import database

_TRIALS = 3  # as it is, opened again, and begun anew
_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """What a store holds.

    Attributes:
        what: names it at the beginning of a sentence, such as ``Measurements``.
        schema: statements that make what is missing.
        version: of the schema.
        place: where the file is where nobody says otherwise.
        upgrades: statements that lead from a version to the next one, by the former; a file of
            a version that none leads from is put aside.
        busy_seconds: how long to wait for another program that writes.
        is_precious: as ``database.opened`` has it.
        is_durable: whether what was written must outlive the machine's sudden end, and not only
            the program's.
    """

    what: str
    schema: str
    version: int
    place: Callable[[], Path]
    upgrades: Mapping[int, Sequence[str]] = field(default_factory=dict)
    busy_seconds: float = database.BUSY_SECONDS
    is_precious: bool = False
    is_durable: bool = False


class Store:
    """A store; safe to use from several threads and programs at once.

    One that cannot be written or read is told in the log, and ``state`` says it: it never fails
    the work of whoever asks.

    Args:
        kind: what it holds.
        path: the file; None takes the kind's own place.
    """

    def __init__(self, kind: Kind, path: Path | None = None) -> None:
        self._kind = kind
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._opening = ""  # why the file could not be opened, if so
        self._trouble = ""  # why something could not be done with it

    def ask(self, work: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """Do something with the database, in one transaction; None where it cannot be used.

        A connection that breaks is opened once more. A file that is damaged then as well is put
        aside, and another one begun.
        """
        with self._lock:
            for trial in range(_TRIALS):
                try:
                    answer = self._done(work)
                    self._trouble = ""
                    return answer
                except (sqlite3.Error, OSError) as error:
                    if not self._may_help(error, trial):
                        self._note(error)
                        return None
        return None

    def _may_help(self, error: sqlite3.Error | OSError, trial: int) -> bool:
        """Close the file, and return whether it may be better to open it once more."""
        if database.is_busy(error) or isinstance(error, database.LaterVersionError):
            return False
        can_be_written = not self._opening
        if trial == 0:
            self._close()
            return True
        if trial == 1 and can_be_written and database.is_damage(error):
            self._close()
            database.put_aside(self._path or self._kind.place(), error)
            return True
        return False

    @property
    def trouble(self) -> str:
        """Return in a sentence why the last thing asked could not be done; empty where it was."""
        return f"{self._kind.what} cannot be kept: {self._trouble}." if self._trouble else ""

    def state(self) -> str:
        """Return in a sentence whether what is noted is kept, and why not."""
        self._trouble = ""
        self.ask(_touch)
        if self._opening or self._trouble:
            return f"{self._kind.what} are not kept: {self._opening or self._trouble}."
        aside = len(self._broken())
        damaged = f" {aside} damaged earlier file{'s' * (aside > 1)} of them were put aside."
        return f"{self._kind.what} are kept.{damaged * bool(aside)}"

    def _broken(self) -> list[Path]:
        path = self._path or self._kind.place()
        with contextlib.suppress(OSError):
            return list(path.parent.glob(f"{path.name}{database.ASIDE}*"))
        return []

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._close()

    def __del__(self) -> None:
        """Close the file, so that none stays open with nobody to use it."""
        self._close()

    def _done(self, work: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        if self._connection is None:
            self._open()
        assert self._connection is not None
        with self._connection:
            return work(self._connection)

    def _open(self) -> None:
        kind = self._kind
        opened = database.opened(
            self._path or kind.place(),
            kind.schema,
            kind.version,
            kind.upgrades,
            kind.busy_seconds,
            kind.is_precious,
            kind.is_durable,
        )
        self._connection, self._opening = opened.connection, opened.trouble

    def _note(self, error: sqlite3.Error | OSError) -> None:
        told = error.strerror if isinstance(error, OSError) else str(error)
        self._trouble = told or type(error).__name__
        _log.warning("%s are not kept: %s.", self._kind.what, error)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _touch(connection: sqlite3.Connection) -> None:
    """Write what is there already, to see whether something could be written."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")
