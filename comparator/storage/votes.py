"""Votes: which of several answers a person thought best, in ``votes.sqlite3`` of the data folder.

A vote names configurations, so it stays true when its comparison is gone from the history.
Several programs may use the file at once; one that cannot be written, read or understood says so
by ``trouble`` and ``state``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from comparator.core import limits
from comparator.core.text import without_surrogates
from comparator.storage import database
from comparator.storage.retention import DAY_SECONDS, Retention
from comparator.storage.store import Kind, Store

TIE, BOTH_BAD = "tie", "both_bad"
LETTERS = limits.LETTERS[: limits.MOST_MODELS]  # of the columns that a vote may be of
MOST_OF_A_VISITOR = 1_000
MOST_OF_VISITORS = 100_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS contenders (
    number INTEGER PRIMARY KEY,
    configuration TEXT NOT NULL,
    model TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (configuration, model, name)
);
CREATE TABLE IF NOT EXISTS votes (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    created REAL NOT NULL,
    owner TEXT NOT NULL,
    comparison TEXT NOT NULL,
    contenders TEXT NOT NULL,  -- their numbers, in the order of the columns
    winner TEXT NOT NULL,
    positions TEXT NOT NULL,
    is_blind INTEGER NOT NULL,
    UNIQUE (owner, id)
);
CREATE INDEX IF NOT EXISTS votes_by_comparison ON votes (comparison, owner);
"""
_KIND = Kind("Votes", _SCHEMA, 1, lambda: database.data_path("votes.sqlite3"), is_precious=True)


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """What one person said of the answers to one question.

    Attributes:
        id: names it; hexadecimal digits.
        created: when, seconds since the epoch.
        owner: the browser session that it belongs to on a public page; empty for one's own.
        comparison: the comparison of the history that it is of; empty for one from elsewhere.
        configurations: of the columns (``evaluation.configuration``), two to four. A log from
            elsewhere knows no configurations: ``name:`` and the model's name stand for them.
        names: of the columns' models, for people.
        models: what names the columns' models by content; empty where only names are known.
        winner: the best column, ``A`` for the first of these; ``tie``; or ``both_bad``.
        positions: where each column was shown, 0 for the first place; empty where nobody noted it.
        is_blind: whether the names were hidden.
    """

    id: str
    created: float
    owner: str = ""
    comparison: str = ""
    configurations: list[str]
    names: list[str]
    models: list[str] = []
    winner: str
    positions: list[int] = []
    is_blind: bool = False

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The columns as ratings count them."""
        models = self.models or self.names
        return tuple(map(Contender, self.configurations, models, self.names))


class Contender(NamedTuple):
    """One column of a vote: its configuration, its model, and the model's name for people."""

    configuration: str
    model: str
    name: str


@dataclass(frozen=True)
class Tally:
    """Equal votes: which columns, what was said, and how often."""

    contenders: tuple[Contender, ...]
    winner: str
    count: int


class Votes:
    """The votes; safe to use from several threads and programs at once.

    Args:
        path: the file; None takes the one in the user's data folder.
        retention: how long visitors' votes are kept (``days_of_visitors``); None reads the
            environment. One's own are kept.
    """

    def __init__(self, path: Path | None = None, retention: Retention | None = None) -> None:
        self.retention = retention or Retention.of()
        self._store = Store(_KIND, path)

    @property
    def trouble(self) -> str:
        """Why the last thing asked of it could not be done, in a sentence; empty where it was."""
        return self._store.trouble

    def add(self, vote: Vote) -> bool:
        """Keep a vote; return whether it is kept.

        There is one of each owner for a comparison: another one of the same takes its place
        (``of`` tells beforehand whether there is one).
        """

        def work(connection: sqlite3.Connection) -> bool:
            if vote.comparison:
                same = "DELETE FROM votes WHERE comparison = ? AND owner = ?"
                connection.execute(same, (vote.comparison, vote.owner))
            _insert(connection, [vote])
            if vote.owner:
                self._let_go(connection, vote.owner)
            return True

        return bool(self._store.ask(work))

    def add_many(self, votes: Sequence[Vote]) -> int | None:
        """Keep votes from elsewhere, all or none of them.

        Returns:
            how many are new: those whose id is there already are left alone. None where they
            could not be kept.
        """
        return self._store.ask(lambda connection: _insert(connection, votes))

    def all(self, owner: str = "") -> list[Vote]:
        """Return an owner's votes, the oldest first; ``tallies`` is faster for many."""
        return self._found("v.owner = ?", (owner,))

    def of(self, comparison: str, owner: str = "") -> Vote | None:
        """Return an owner's vote on a comparison; None where there is none."""
        found = self._found("v.comparison = ? AND v.owner = ?", (comparison, owner))
        return found[-1] if found else None

    def tallies(self, owner: str = "", only_blind: bool = False) -> list[Tally]:
        """Return an owner's votes counted: what ratings are made of; all of them, or blind ones."""
        question = (
            f"SELECT contenders, winner, count(*) FROM votes WHERE {_WHOSE[only_blind]} "
            "GROUP BY contenders, winner ORDER BY contenders, winner"
        )

        def work(connection: sqlite3.Connection) -> list[Tally]:
            known = _contenders(connection)
            rows = connection.execute(question, (owner,)).fetchall()
            return [Tally(_named(told, known), winner, count) for told, winner, count in rows]

        return self._store.ask(work) or []

    def first_places(self, owner: str = "") -> tuple[int, int]:
        """Return how many votes went to the answer that was shown first, and of how many.

        Of an owner's votes for one of two columns whose places were noted.
        """
        question = (
            "SELECT positions, winner, count(*) FROM votes WHERE owner = ? "
            "AND positions IN ('0 1', '1 0') AND winner IN ('A', 'B') GROUP BY positions, winner"
        )
        rows = self._store.ask(lambda it: it.execute(question, (owner,)).fetchall()) or []
        won = sum(
            many for places, winner, many in rows if places.split()["AB".index(winner)] == "0"
        )
        return won, sum(many for _places, _winner, many in rows)

    def count(self, owner: str = "", only_blind: bool = False) -> int:
        """Return how many votes an owner has; all of them, or blind ones."""
        question = f"SELECT count(*) FROM votes WHERE {_WHOSE[only_blind]}"
        rows = self._store.ask(lambda it: it.execute(question, (owner,)).fetchall())
        return int(rows[0][0]) if rows else 0

    def remove(self, name: str, owner: str = "") -> bool:
        """Delete an owner's vote, by its id; return whether there was one."""
        statement = "DELETE FROM votes WHERE id = ? AND owner = ?"
        values = (without_surrogates(name), owner)
        return bool(self._store.ask(lambda it: it.execute(statement, values).rowcount))

    def state(self) -> str:
        """Return in a sentence whether votes are kept, and why not."""
        return self._store.state()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._store.close()

    def _found(self, where: str, values: Sequence[Any]) -> list[Vote]:
        question = f"SELECT {_COLUMNS} FROM votes v WHERE {where} ORDER BY v.created, v.number"

        def work(connection: sqlite3.Connection) -> list[Vote]:
            known = _contenders(connection)
            return [_vote(row, known) for row in connection.execute(question, values)]

        return self._store.ask(work) or []

    def _let_go(self, connection: sqlite3.Connection, owner: str) -> None:
        """Delete what visitors have beyond what is kept of them; one's own stays."""
        days = self.retention.days_of_visitors
        if days:
            oldest = time.time() - days * DAY_SECONDS
            old = "DELETE FROM votes WHERE owner != '' AND created < ?"
            connection.execute(old, (oldest,))
        for where, values, most in (
            ("owner = ?", (owner,), MOST_OF_A_VISITOR),
            ("owner != ''", (), MOST_OF_VISITORS),
        ):
            beyond = (
                f"SELECT number FROM votes WHERE {where} ORDER BY number DESC LIMIT -1 OFFSET ?"
            )
            connection.execute(f"DELETE FROM votes WHERE number IN ({beyond})", (*values, most))


_WHOSE = {False: "owner = ?", True: "owner = ? AND is_blind = 1"}
_COLUMNS = "v.id, v.created, v.owner, v.comparison, v.contenders, v.winner, v.positions, v.is_blind"
_INSERT = (
    "INSERT OR IGNORE INTO votes "
    "(id, created, owner, comparison, contenders, winner, positions, is_blind) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def _insert(connection: sqlite3.Connection, votes: Iterable[Vote]) -> int:
    """Add votes whose ids are new; return how many."""
    numbers: dict[Contender, int] = {}
    rows = [_row(connection, vote, numbers) for vote in votes]
    return connection.executemany(_INSERT, rows).rowcount if rows else 0


def _row(
    connection: sqlite3.Connection, vote: Vote, numbers: dict[Contender, int]
) -> tuple[Any, ...]:
    listed = [_number(connection, one, numbers) for one in vote.contenders]
    return (
        vote.id,
        vote.created,
        vote.owner,
        vote.comparison,
        _packed(listed),
        vote.winner,
        _packed(vote.positions),
        int(vote.is_blind),
    )


def _number(
    connection: sqlite3.Connection, contender: Contender, numbers: dict[Contender, int]
) -> int:
    """Return a contender's number, giving it one if it is new."""
    if contender not in numbers:
        values = tuple(map(without_surrogates, contender))
        new = "INSERT OR IGNORE INTO contenders (configuration, model, name) VALUES (?, ?, ?)"
        connection.execute(new, values)
        known = "SELECT number FROM contenders WHERE configuration = ? AND model = ? AND name = ?"
        (numbers[contender],) = connection.execute(known, values).fetchone()
    return numbers[contender]


def _packed(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def _contenders(connection: sqlite3.Connection) -> dict[int, Contender]:
    rows = connection.execute("SELECT number, configuration, model, name FROM contenders")
    return {number: Contender(*rest) for number, *rest in rows}


def _named(told: str, known: Mapping[int, Contender]) -> tuple[Contender, ...]:
    """Return contenders by their numbers.

    Raises:
        sqlite3.DataError: what is kept is damaged.
    """
    try:
        return tuple(known[int(number)] for number in told.split())
    except (ValueError, LookupError):
        raise sqlite3.DataError("what is kept of a vote is damaged") from None


def _vote(row: Sequence[Any], known: Mapping[int, Contender]) -> Vote:
    name, created, owner, comparison, told, winner, positions, is_blind = row
    contenders = _named(told, known)
    try:
        places = [int(place) for place in positions.split()]
    except ValueError:
        raise sqlite3.DataError(f"what is kept of vote {name} is damaged") from None
    return Vote(
        id=name,
        created=created,
        owner=owner,
        comparison=comparison,
        configurations=[one.configuration for one in contenders],
        names=[one.name for one in contenders],
        models=[one.model for one in contenders],
        winner=winner,
        positions=places,
        is_blind=bool(is_blind),
    )
