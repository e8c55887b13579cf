"""The history: every comparison that was asked, whole, in ``history.sqlite3`` of the data folder.

Several programs may use it at once. A file that cannot be written, read or understood never
fails a comparison: ``state`` and what is returned say it.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import without_surrogates
from comparator.storage.history_schema import (
    folded,
    has_index,
    kind,
    searched,
    trigrams_of,
)
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.names import numbers_of
from comparator.storage.retention import DAY_SECONDS
from comparator.storage.retention import Retention as Retention
from comparator.storage.store import Store

MOST_LISTED = 200  # comparisons in one answer
MOST_WORDS = 64  # of a search
LONGEST_SEARCH = 1_000  # characters
_DAMAGED = "what is kept of {} is damaged"
_QUESTION_CHARACTERS = 300  # of a question, in a list
_LISTED = "c.id, c.created, c.owner, c.question, c.columns, c.is_pinned, c.parent, c.number"
_NO_INDEX = " This SQLite has no full text index (FTS5), so a search reads everything."


@dataclass(frozen=True)
class Entry:
    """A kept comparison in a list.

    Attributes:
        id: names it.
        created: when it was asked, seconds since the epoch.
        owner: as ``KeptComparison.owner``.
        question: what the user said last, its beginning.
        models: the names of the columns' models.
        states: how each column ended, as ``RunState`` words it.
        is_pinned: whether it stays whatever the retention.
        parent: the comparison that it goes on from, or None.
        number: its place in time: tenths of a second since the epoch, or the next that was free.
    """

    id: str
    created: float
    owner: str
    question: str
    models: tuple[str, ...]
    states: tuple[str, ...]
    is_pinned: bool
    parent: str | None
    number: int

    @property
    def place(self) -> tuple[float, int]:
        """Where it stands in a list, for ``History.find(before=…)``."""
        return self.created, self.number


class History:
    """The kept comparisons; safe to use from several threads and programs at once.

    Args:
        path: the file; None takes the one in the user's data folder.
        retention: how much is kept; None reads the environment.
    """

    def __init__(self, path: Path | None = None, retention: Retention | None = None) -> None:
        self.retention = retention or Retention.of()
        self._store = Store(kind(), path)

    @property
    def is_on(self) -> bool:
        """Whether anything is to be kept."""
        return self.retention.is_on

    @property
    def trouble(self) -> str:
        """Why the last thing asked of it could not be done, in a sentence; empty where it was."""
        return self._store.trouble

    def add(self, kept: KeptComparison) -> bool:
        """Keep a comparison, and let go what retention keeps no longer; return whether it is kept.

        One of the same id is replaced.
        """
        if not self.is_on:
            return False
        row, whole, text = _row(kept), _packed(kept), searched(kept)

        def work(connection: sqlite3.Connection) -> bool:
            _drop(connection, _numbers(connection, "c.id = ?", (kept.id,)))
            number = _free_number(connection, kept.created)
            connection.execute(_INSERT, (number, *row))
            connection.execute("INSERT INTO wholes VALUES (?, ?)", (number, whole))
            connection.execute("INSERT INTO texts VALUES (?, ?)", (number, text))
            if has_index():
                values = (number, text)
                connection.execute("INSERT INTO trigrams (rowid, text) VALUES (?, ?)", values)
            self._let_go(connection, kept.owner)
            return True

        return bool(self._store.ask(work))

    def get(self, name: str, owner: str = "") -> KeptComparison | None:
        """Return a comparison of an owner; None where there is none of that name.

        Args:
            name: an id, an unambiguous beginning of one (four digits or more), or ``last``.
            owner: whose; empty for the machine's own user.
        """

        def work(connection: sqlite3.Connection) -> KeptComparison | None:
            found = numbers_of(connection, "comparisons", name, owner)
            if len(found) != 1:
                return None
            question = "SELECT whole FROM wholes WHERE number = ?"
            rows = connection.execute(question, found).fetchall()
            (pinned,) = connection.execute(_IS_PINNED, found).fetchone()
            return _with_pin(_unpacked(rows[0][0], name), bool(pinned)) if rows else None

        return self._store.ask(work)

    def find(
        self,
        words: str = "",
        owner: str = "",
        most: int = 50,
        before: tuple[float, int] | None = None,
    ) -> list[Entry]:
        """Return an owner's comparisons, the newest first.

        Args:
            words: what questions, system prompts, answers or models' names have; all of the words,
                anywhere in them, in whatever case. Empty for all comparisons.
            owner: whose; empty for the machine's own user.
            most: of a list.
            before: the ``place`` of the last entry of the list before.

        Raises:
            ConfigurationError: these are more words than are searched at once.
        """
        wanted, most = _searched_words(words), max(0, min(most, MOST_LISTED))

        def work(connection: sqlite3.Connection) -> list[Entry]:
            trigrams = trigrams_of(connection, wanted) if has_index() else ""
            if trigrams is None:
                return []
            sql, values = _question(wanted, trigrams, owner, before)
            return [_entry(*row) for row in connection.execute(sql, (*values, most))]

        return self._store.ask(work) or []

    def count(self, owner: str = "") -> int:
        """Return how many comparisons an owner has."""
        question = "SELECT count(*) FROM comparisons WHERE owner = ?"
        rows = self._store.ask(lambda it: it.execute(question, (owner,)).fetchall())
        return int(rows[0][0]) if rows else 0

    def pin(self, name: str, is_pinned: bool = True, owner: str = "") -> bool:
        """Keep a comparison whatever the retention, or no longer; return whether there is one."""

        def work(connection: sqlite3.Connection) -> bool:
            found = numbers_of(connection, "comparisons", name, owner)
            if len(found) != 1:
                return False
            change = "UPDATE comparisons SET is_pinned = ? WHERE number = ?"
            connection.execute(change, (int(is_pinned), found[0]))
            return True

        return bool(self._store.ask(work))

    def remove(self, name: str, owner: str = "") -> bool:
        """Delete a comparison; return whether there was one."""

        def work(connection: sqlite3.Connection) -> bool:
            found = numbers_of(connection, "comparisons", name, owner)
            if len(found) == 1:
                _drop(connection, found)
            return len(found) == 1

        return bool(self._store.ask(work))

    def state(self) -> str:
        """Return in a sentence whether comparisons are kept, and why not."""
        if not self.is_on:
            return "Comparisons are not kept: the history is off."
        return f"{self._store.state()}{'' if has_index() else _NO_INDEX}"

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._store.close()

    def _let_go(self, connection: sqlite3.Connection, owner: str) -> None:
        """Delete what is older or more than is kept."""
        keeps, gone = self.retention, []
        # A visitor's pin holds among what that visitor has, against nothing else: what strangers
        # asked does not lie here for ever, and never pushes out what is one's own.
        for whose, days in ((_OWN, keeps.days), (_VISITORS, keeps.days_of_visitors)):
            if days:
                limits = (int(10 * (time.time() - days * DAY_SECONDS)),)
                gone += _numbers(connection, f"{whose} AND c.number < ?", limits)
            if keeps.most:
                order = f"{whose} ORDER BY c.number DESC"
                gone += _beyond(connection, order, (), keeps.most)
        if owner and keeps.most_of_a_visitor:
            order = "c.owner = ? ORDER BY c.is_pinned DESC, c.number DESC"
            gone += _beyond(connection, order, (owner,), keeps.most_of_a_visitor)
        _drop(connection, gone)


_INSERT = """
INSERT INTO comparisons (number, id, owner, created, is_pinned, parent, question, columns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_OWN, _VISITORS = "c.owner = '' AND c.is_pinned = 0", "c.owner != ''"
_IS_PINNED = "SELECT is_pinned FROM comparisons WHERE number = ?"


def _with_pin(kept: KeptComparison, is_pinned: bool) -> KeptComparison:
    """Return a comparison as its row in the list says that it is pinned."""
    return msgspec.structs.replace(kept, is_pinned=is_pinned)


def _row(kept: KeptComparison) -> tuple[Any, ...]:
    columns = [[record["model"].get("name", ""), record["state"]] for record in kept.records]
    return (
        kept.id,
        kept.owner,
        kept.created,
        int(kept.is_pinned),
        kept.parent,
        without_surrogates(kept.question)[:_QUESTION_CHARACTERS],
        json.dumps(columns),
    )


def _entry(
    name: str,
    created: float,
    owner: str,
    question: str,
    columns: str,
    is_pinned: int,
    parent: str | None,
    number: int,
) -> Entry:
    try:
        pairs = json.loads(columns)
        models, states = (tuple(str(pair[place]) for pair in pairs) for place in (0, 1))
    except (ValueError, TypeError, LookupError):
        raise sqlite3.DataError(_DAMAGED.format(name)) from None
    return Entry(name, created, owner, question, models, states, bool(is_pinned), parent, number)


def _packed(kept: KeptComparison) -> bytes:
    """Return a comparison as compressed JSON; names of files may have what is no text."""
    return zlib.compress(json.dumps(msgspec.to_builtins(kept)).encode())


def _unpacked(whole: bytes, name: str) -> KeptComparison:
    try:
        return msgspec.convert(json.loads(zlib.decompress(whole)), KeptComparison)
    except (zlib.error, ValueError, TypeError):
        raise sqlite3.DataError(_DAMAGED.format(name)) from None


def _searched_words(words: str) -> list[str]:
    """Return the words that are searched, each once; others wait while a search goes on."""
    found = list(dict.fromkeys(folded(words[: LONGEST_SEARCH + 1]).split()))
    if len(words) > LONGEST_SEARCH or len(found) > MOST_WORDS:
        raise ConfigurationError(
            f"A search takes up to {MOST_WORDS} words of {LONGEST_SEARCH} characters together. "
            "Search for fewer."
        )
    return found


def _question(
    words: Sequence[str], trigrams: str, owner: str, before: tuple[float, int] | None
) -> tuple[str, list[Any]]:
    """Return the statement that finds entries, and its values but for the last, its limit.

    It goes from the newest to the oldest and ends as soon as it has enough.
    """
    tables, order, wanted = "comparisons c", "c.number", ["c.owner = ?"]
    values: list[Any] = [owner]
    if trigrams:
        tables, order = (
            f"trigrams CROSS JOIN {tables} ON c.number = trigrams.rowid",
            "trigrams.rowid",
        )
        wanted.append("trigrams MATCH ?")
        values.append(trigrams)
    if words:
        tables += " CROSS JOIN texts t ON t.number = c.number"
        wanted += ["instr(t.text, ?) > 0"] * len(words)
        values += words
    if before is not None:
        wanted.append(f"{order} < ?")
        values.append(before[1])
    where = " AND ".join(wanted)
    return f"SELECT {_LISTED} FROM {tables} WHERE {where} ORDER BY {order} DESC LIMIT ?", values


def _free_number(connection: sqlite3.Connection, created: float) -> int:
    """Return the number of a moment, or the next one that no other comparison has."""
    number = int(created * 10)
    question = "SELECT 1 FROM comparisons WHERE number = ?"
    while connection.execute(question, (number,)).fetchone():
        number += 1
    return number


def _numbers(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[int]:
    found = connection.execute(f"SELECT c.number FROM comparisons c WHERE {where}", values)
    return [number for (number,) in found]


def _beyond(
    connection: sqlite3.Connection, where: str, values: Sequence[Any], most: int
) -> list[int]:
    """Return what comes after the first ones of an order."""
    return _numbers(connection, f"{where} LIMIT -1 OFFSET ?", (*values, most))


def _drop(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    for number in dict.fromkeys(numbers):
        if has_index():  # an index beside its texts is told the text that goes
            rows = connection.execute("SELECT text FROM texts WHERE number = ?", (number,))
            told = "INSERT INTO trigrams (trigrams, rowid, text) VALUES ('delete', ?, ?)"
            connection.executemany(told, [(number, text) for (text,) in rows.fetchall()])
        for table in ("texts", "wholes", "comparisons"):
            connection.execute(f"DELETE FROM {table} WHERE number = ?", (number,))
