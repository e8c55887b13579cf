"""How runs of suites lie in their SQLite file: the tables, and a value as a row of them."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from comparator.core.text import without_surrogates
from comparator.storage import database
from comparator.storage.kept_suite import Cell, CellKey, KeptSuite, SuiteState
from comparator.storage.names import numbers_of
from comparator.storage.retention import DAY_SECONDS, Retention
from comparator.storage.store import Kind

MOST_OF_A_VISITOR = 20  # of a public page; one's own are kept until they are removed
MOST_OF_VISITORS = 1_000  # of all of them together
_BUSY_SECONDS = 30.0  # another program that writes is waited for: an answer is not asked again
_DAMAGED = "what is kept of the suite {} is damaged"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS suites (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created REAL NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    prompts INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    slots TEXT NOT NULL,
    holder TEXT NOT NULL DEFAULT '{}',
    head BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS suites_by_owner ON suites (owner, number);
CREATE TABLE IF NOT EXISTS cells (
    suite INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    repeat INTEGER NOT NULL,
    state TEXT NOT NULL,
    whole BLOB NOT NULL,
    PRIMARY KEY (suite, slot, prompt, repeat)
);
"""
KIND = Kind(
    "Suites",
    _SCHEMA,
    1,
    database.suites_path,
    busy_seconds=_BUSY_SECONDS,
    is_precious=True,
    is_durable=True,
)


INSERT = """
INSERT INTO suites (id, owner, created, name, state, prompts, repeats, slots, head, holder)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
PUT_CELL = """
INSERT INTO cells (suite, slot, prompt, repeat, state, whole) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (suite, slot, prompt, repeat) DO UPDATE SET state = excluded.state,
whole = excluded.whole
"""
DROP_CELL = "DELETE FROM cells WHERE suite = ? AND slot = ? AND prompt = ? AND repeat = ?"
LIST = """
SELECT s.id, s.name, s.created, s.owner, s.state, s.prompts, s.repeats, s.slots,
(SELECT count(*) FROM cells c WHERE c.suite = s.number AND c.state = 'done'),
(SELECT count(*) FROM cells c WHERE c.suite = s.number AND c.state = 'failed')
FROM suites s WHERE s.owner = ? ORDER BY s.number DESC LIMIT ?
"""


def new_cells(slots: int, prompts: int, repeats: int) -> list[Cell]:
    """Return the cells of a suite that begins, in the order of slot, prompt and repeat."""
    return [
        Cell(slot, prompt, repeat)
        for slot in range(slots)
        for prompt in range(prompts)
        for repeat in range(repeats)
    ]


def row_of(kept: KeptSuite) -> tuple[Any, ...]:
    """Return a suite without its cells, as ``INSERT`` takes it."""
    labels = [without_surrogates(slot.label) for slot in kept.slots]
    return (
        kept.id,
        kept.owner,
        kept.created,
        without_surrogates(kept.name),
        kept.state,
        len(kept.suite.items),
        kept.repeats,
        json.dumps(labels),
        _packed(msgspec.structs.replace(kept, cells=[])),
    )


def cell_row(cell: Cell) -> tuple[Any, ...]:
    """Return a cell as ``PUT_CELL`` takes it, behind the number of its suite."""
    return *cell.key, cell.state, _packed(cell)


def _packed(value: msgspec.Struct) -> bytes:
    """Return a value as compressed JSON; names of files may have what is no text."""
    return zlib.compress(json.dumps(msgspec.to_builtins(value)).encode())


def whole(head: bytes, state: SuiteState, cells: Sequence[bytes], name: str) -> KeptSuite:
    """Return a suite with all its cells, in their order, those that are pending included.

    Raises:
        sqlite3.DataError: what is kept of it is damaged.
    """
    try:
        kept = msgspec.convert(json.loads(zlib.decompress(head)), KeptSuite)
        there = [msgspec.convert(json.loads(zlib.decompress(one)), Cell) for one in cells]
    except (zlib.error, ValueError, TypeError):
        raise sqlite3.DataError(_DAMAGED.format(name)) from None
    found: Mapping[CellKey, Cell] = {cell.key: cell for cell in there}
    every = new_cells(len(kept.slots), len(kept.suite.items), kept.repeats)
    return msgspec.structs.replace(
        kept, state=state, cells=[found.get(cell.key, cell) for cell in every]
    )


def named(connection: sqlite3.Connection, name: str, owner: str) -> list[int]:
    """Return the numbers of the suites that a name means: none, one, or too many."""
    return numbers_of(connection, "suites", name, owner)


def let_go(connection: sqlite3.Connection, owner: str) -> None:
    """Delete what visitors of a public page had, as far as it is old or more than is kept."""
    if not owner:
        return
    days = Retention.of().days_of_visitors
    old = "SELECT id FROM suites WHERE owner != '' AND created < ?"
    more = "SELECT id FROM suites WHERE owner = ? ORDER BY number DESC LIMIT -1 OFFSET ?"
    most = "SELECT id FROM suites WHERE owner != '' ORDER BY number DESC LIMIT -1 OFFSET ?"
    gone = connection.execute(more, (owner, MOST_OF_A_VISITOR)).fetchall()
    gone += connection.execute(most, (MOST_OF_VISITORS,)).fetchall()
    if days:
        gone += connection.execute(old, (time.time() - days * DAY_SECONDS,)).fetchall()
    for (name,) in gone:
        remove(connection, name)


def ids(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[str]:
    """Return the ids of suites by their numbers."""
    question = "SELECT id FROM suites WHERE number = ?"
    return [connection.execute(question, (number,)).fetchone()[0] for number in numbers]


def remove(connection: sqlite3.Connection, name: str) -> bool:
    """Delete a suite with its cells; return whether there was one."""
    whose = "suite IN (SELECT number FROM suites WHERE id = ?)"
    connection.execute(f"DELETE FROM cells WHERE {whose}", (name,))
    return connection.execute("DELETE FROM suites WHERE id = ?", (name,)).rowcount > 0


def holder_here() -> str:
    """Return this program as who runs a suite."""
    told = {"pid": os.getpid(), "host": platform.node(), "since": time.time()}
    return json.dumps(told)


def holder_in(text: str) -> dict[str, Any]:
    """Return who holds a claim as it was noted; empty where nobody did."""
    try:
        holder = json.loads(text)
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) and "pid" in holder else {}
