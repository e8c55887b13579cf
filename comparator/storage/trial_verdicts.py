"""What trials of engines have found, and what engines learned of models, kept between runs.

One file in the user's cache folder, ``trials.sqlite3``. A verdict belongs to a machine and a
build by its key, so that containers which share a home folder do not believe each other's.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from comparator.storage import database
from comparator.storage.store import Kind, Store

MOST_LEARNED_BYTES = 16_384  # of one model; a child tells it, so that it has a limit
SAFE_FOR_DAYS = 7  # after a crash; later the full speed is dared again
_BUSY_SECONDS = 1.0  # a run waits for no other program: a trial costs less
_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    key TEXT PRIMARY KEY,
    verdict BLOB NOT NULL,
    made REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS learned (
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    learned TEXT NOT NULL,
    PRIMARY KEY (key, model)
);
CREATE TABLE IF NOT EXISTS crashes (
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    reason TEXT NOT NULL,
    noted REAL NOT NULL,
    PRIMARY KEY (key, model)
);
"""
_KIND = Kind(
    "Verdicts of trials",
    _SCHEMA,
    1,
    lambda: database.cache_path("trials.sqlite3"),
    busy_seconds=_BUSY_SECONDS,
)
_log = logging.getLogger(__name__)


class Failure(msgspec.Struct, frozen=True):
    """A level that was not right: the signal by which it died, or why its numbers are wrong."""

    died: str = ""
    reason: str = ""


class BuildVerdict(msgspec.Struct, frozen=True):
    """What the trial of one build on one machine has found.

    Attributes:
        level: the first level that was right, by its number; None where none was.
        settings: what is to be used from now on.
        failures: why each level before it, or every one, was not right.
        notes: sentences of the trial itself.
        figures: what it measured.
    """

    level: int | None
    settings: dict[str, Any]
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = {}


@dataclass(frozen=True)
class Remembered:
    """What is known of a model from earlier runs on a machine and build.

    ``crash`` says how it died before its first token; empty where it did not.
    """

    learned: dict[str, Any]
    crash: str = ""


class TrialVerdicts:
    """The store. What cannot be kept there is known as long as this object lives.

    Args:
        path: the file; None takes the one in the user's cache folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._store = Store(_KIND, path)
        self._at_hand: dict[str, BuildVerdict] = {}

    def of(self, key: str) -> BuildVerdict | None:
        """Return the verdict of a machine and build; None where there is none to be believed."""
        if key in self._at_hand:
            return self._at_hand[key]
        question = "SELECT verdict FROM verdicts WHERE key = ?"
        row = self._store.ask(lambda connection: connection.execute(question, (key,)).fetchone())
        if row is None:
            return None
        try:
            verdict = msgspec.json.decode(row[0], type=BuildVerdict)
        except (msgspec.MsgspecError, TypeError, ValueError):
            _log.warning("A verdict that cannot be read is made anew.")
            return None
        self._at_hand[key] = verdict
        return verdict

    def keep(self, key: str, verdict: BuildVerdict) -> None:
        """Note a verdict."""
        self._at_hand[key] = verdict
        row = (key, msgspec.json.encode(verdict), time.time())
        statement = "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)"
        self._store.ask(lambda connection: connection.execute(statement, row))

    def remembered(self, key: str, model: str) -> Remembered:
        """Return what is known of a model on a machine and build."""
        found = self._store.ask(lambda connection: _remembered(connection, key, model))
        return found or Remembered({})

    def learn(self, key: str, model: str, learned: dict[str, Any]) -> None:
        """Note what an engine has learned of a model; too much of it is not kept."""
        text = json.dumps(learned)
        if len(text) > MOST_LEARNED_BYTES:
            _log.warning("An engine learned more of a model than is kept: %d bytes.", len(text))
            return
        statement = "INSERT OR REPLACE INTO learned VALUES (?, ?, ?)"
        self._store.ask(lambda connection: connection.execute(statement, (key, model, text)))

    def note_crash(self, key: str, model: str, reason: str) -> None:
        """Note that a model died before its first token, and runs with safe settings."""
        row, statement = (key, model, reason, time.time()), _NOTE_CRASH
        self._store.ask(lambda connection: connection.execute(statement, row))

    def forget(self) -> None:
        """Forget everything, so that engines are tried again."""
        self._at_hand.clear()
        self._store.ask(_forget)

    def state(self) -> str:
        """Return in a sentence whether verdicts are kept, and why not."""
        return self._store.state()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._store.close()


_NOTE_CRASH = "INSERT OR REPLACE INTO crashes VALUES (?, ?, ?, ?)"


def _remembered(connection: sqlite3.Connection, key: str, model: str) -> Remembered:
    of_model, after = (key, model), time.time() - SAFE_FOR_DAYS * 86_400
    question = "SELECT learned FROM learned WHERE key = ? AND model = ?"
    row = connection.execute(question, of_model).fetchone()
    question = "SELECT reason FROM crashes WHERE key = ? AND model = ? AND noted > ?"
    crash = connection.execute(question, (*of_model, after)).fetchone()
    return Remembered(_object(row[0]) if row else {}, str(crash[0]) if crash else "")


def _object(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _forget(connection: sqlite3.Connection) -> None:
    for table in ("verdicts", "learned", "crashes"):
        connection.execute(f"DELETE FROM {table}")
