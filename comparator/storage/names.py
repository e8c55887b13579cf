"""What is kept is named by an id, by an unambiguous beginning of one, or by ``last``."""

from __future__ import annotations

import sqlite3
import uuid

from comparator.core.text import without_surrogates

LAST = "last"
_ID_DIGITS = 12
_SHORTEST_BEGINNING = 4  # characters of an id


def new_id() -> str:
    """Return an id for something new: hexadecimal digits."""
    return uuid.uuid4().hex[:_ID_DIGITS]


def numbers_of(connection: sqlite3.Connection, table: str, name: str, owner: str) -> list[int]:
    """Return the numbers of an owner's rows that a name means: none, one, or too many.

    Args:
        connection: to the file.
        table: has the columns ``number``, ``id`` and ``owner``.
        name: as people give it.
        owner: whose; empty for the machine's own user.
    """
    name = without_surrogates(name)
    if name == LAST:
        rows = connection.execute(f"SELECT max(number) FROM {table} WHERE owner = ?", (owner,))
        return [number for (number,) in rows if number is not None]
    question = f"SELECT number FROM {table} WHERE owner = ? AND"
    rows = connection.execute(f"{question} id = ?", (owner, name))
    found = [number for (number,) in rows]
    if found or len(name) < _SHORTEST_BEGINNING:
        return found
    values = (owner, len(name), name)
    rows = connection.execute(f"{question} substr(id, 1, ?) = ?", values)
    return [number for (number,) in rows]
