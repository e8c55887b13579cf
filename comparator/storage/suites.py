"""Runs of suites, in ``suites.sqlite3`` of the data folder: each answer as soon as it is there.

A cell that was added outlives the program, a full disk and the machine's sudden end: each is on
the disk (``synchronous = FULL``), which takes milliseconds beside the seconds of an answer.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from comparator.core.exceptions import ConfigurationError
from comparator.storage import database, suite_claims, suite_rows
from comparator.storage.kept_suite import Cell, KeptSuite, SuiteState
from comparator.storage.store import Store
from comparator.storage.suite_claims import Claim as Claim
from comparator.storage.suite_rows import MOST_OF_A_VISITOR as MOST_OF_A_VISITOR

MOST_LISTED = 200  # suites in one answer


@dataclass(frozen=True)
class SuiteEntry:
    """A kept suite in a list.

    Attributes:
        id: names it.
        name: of the run, for people.
        created: when it was begun, seconds since the epoch.
        owner: as ``KeptSuite.owner``.
        state: ``running``, ``done`` or ``interrupted``.
        prompts: how many it asks.
        repeats: how often each.
        labels: of its slots.
        done: cells that were answered.
        failed: cells that could not be.
    """

    id: str
    name: str
    created: float
    owner: str
    state: SuiteState
    prompts: int
    repeats: int
    labels: tuple[str, ...]
    done: int
    failed: int

    @property
    def total(self) -> int:
        """How many cells it has."""
        return self.prompts * self.repeats * len(self.labels)


class Suites:
    """The kept suites; safe to use from several threads and programs at once.

    Nothing is raised where the file cannot be used: ``trouble`` and what is returned say it.

    Args:
        path: the file; None takes the one in the user's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._store = Store(suite_rows.KIND, path)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path or database.suites_path()

    @property
    def trouble(self) -> str:
        """Why the last thing asked of it could not be done, in a sentence; empty where it was."""
        return self._store.trouble

    def begin(self, kept: KeptSuite) -> bool:
        """Keep a suite that begins, with the cells that it has already; return whether it is kept.

        One of the same id is left as it is, and False is returned. Of a visitor of a public page
        the oldest are let go, and what is as old as the history's retention says.
        """
        cells = [suite_rows.cell_row(cell) for cell in kept.cells if cell.state != "pending"]

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute("SELECT 1 FROM suites WHERE id = ?", (kept.id,)).fetchone():
                return False
            row = (*suite_rows.row_of(kept), suite_rows.holder_here())
            number = connection.execute(suite_rows.INSERT, row).lastrowid
            connection.executemany(suite_rows.PUT_CELL, [(number, *row) for row in cells])
            suite_rows.let_go(connection, kept.owner)
            return True

        return bool(self._store.ask(work))

    def update(self, kept: KeptSuite) -> bool:
        """Keep all of a suite but its cells, such as its state; return whether it is kept."""
        *_, name, state, _prompts, _repeats, slots, head = suite_rows.row_of(kept)
        change = "UPDATE suites SET name = ?, state = ?, slots = ?, head = ? WHERE id = ?"
        return self._changed(change, (name, state, slots, head, kept.id))

    def add_cells(self, name: str, cells: Sequence[Cell]) -> bool:
        """Keep cells, in place of those that were there: all or none; return whether they are kept.

        Args:
            name: the suite's id.
            cells: done or failed; a pending one takes away what was there.
        """
        rows = [(cell, suite_rows.cell_row(cell)) for cell in cells]

        def work(connection: sqlite3.Connection) -> bool:
            found = connection.execute("SELECT number FROM suites WHERE id = ?", (name,)).fetchone()
            for cell, row in rows if found else ():
                if cell.state == "pending":
                    connection.execute(suite_rows.DROP_CELL, (*found, *cell.key))
                else:
                    connection.execute(suite_rows.PUT_CELL, (*found, *row))
            return found is not None

        return bool(self._store.ask(work))

    def get(self, name: str, owner: str = "") -> KeptSuite | None:
        """Return a suite of an owner, whole; None where there is none of that name.

        Args:
            name: an id, an unambiguous beginning of one (four digits or more), or ``last``.
            owner: whose; empty for the machine's own user.
        """

        def work(connection: sqlite3.Connection) -> KeptSuite | None:
            found = suite_rows.named(connection, name, owner)
            if len(found) != 1:
                return None
            question = "SELECT head, state FROM suites WHERE number = ?"
            head, state = connection.execute(question, found).fetchone()
            question = "SELECT whole FROM cells WHERE suite = ?"
            cells = [cell for (cell,) in connection.execute(question, found)]
            return suite_rows.whole(head, state, cells, name)

        kept = self._store.ask(work)
        if kept is None:
            return None
        return msgspec.structs.replace(kept, state=self._state(kept.id, kept.state))

    def id_of(self, name: str, owner: str = "") -> str | None:
        """Return the id of the one suite that a name means (as ``get``), damaged or not."""
        rows = self._store.ask(lambda it: suite_rows.ids(it, suite_rows.named(it, name, owner)))
        return rows[0] if rows and len(rows) == 1 else None

    def find(self, owner: str = "", most: int = 50) -> list[SuiteEntry]:
        """Return an owner's suites, the newest first.

        Args:
            owner: whose; empty for the machine's own user.
            most: of a list.
        """
        values = (owner, max(0, min(most, MOST_LISTED)))
        rows = self._store.ask(lambda it: it.execute(suite_rows.LIST, values).fetchall())
        return [self._entry(*row) for row in rows or []]

    def remove(self, name: str, owner: str = "") -> bool:
        """Delete a suite; return whether there was one.

        Raises:
            ConfigurationError: a program runs it.
        """
        found = self.id_of(name, owner)
        if found is None:
            return False
        with self.claim(found):
            is_gone = bool(self._store.ask(lambda it: suite_rows.remove(it, found)))
        suite_claims.forget(self.path, found)
        return is_gone

    def claim(self, name: str) -> Claim:
        """Take a suite for this program alone, until it is released or the program ends.

        Args:
            name: the suite's id.

        Raises:
            ConfigurationError: another program runs it, or the claim cannot be written.
        """
        try:
            claim = Claim(self.path, name)
        except suite_claims.HeldError:
            raise ConfigurationError(self._held_by(name)) from None
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise ConfigurationError(
                f"The suite {name} cannot be run: its lock in {self.path.parent} cannot be "
                f"written ({told}). COMPARATOR_DATA_DIR names another folder."
            ) from error
        values = (suite_rows.holder_here(), name)
        self._changed("UPDATE suites SET holder = ? WHERE id = ?", values)
        return claim

    def state(self) -> str:
        """Return in a sentence whether suites are kept, and why not."""
        return self._store.state()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._store.close()

    def _changed(self, statement: str, values: Sequence[Any]) -> bool:
        return bool(self._store.ask(lambda it: it.execute(statement, values).rowcount > 0))

    def _state(self, name: str, noted: SuiteState) -> SuiteState:
        """Return how a suite stands: one that was running when its program died is interrupted."""
        is_alive = noted != "running" or suite_claims.is_held(self.path, name)
        return noted if is_alive else "interrupted"

    def _entry(
        self,
        name: str,
        title: str,
        created: float,
        owner: str,
        state: SuiteState,
        prompts: int,
        repeats: int,
        slots: str,
        done: int | None,
        failed: int | None,
    ) -> SuiteEntry:
        state, labels = self._state(name, state), tuple(map(str, json.loads(slots)))
        counts = done or 0, failed or 0
        return SuiteEntry(name, title, created, owner, state, prompts, repeats, labels, *counts)

    def _held_by(self, name: str) -> str:
        """Return the sentence that says who runs a suite."""
        question = "SELECT holder FROM suites WHERE id = ?"
        rows = self._store.ask(lambda it: it.execute(question, (name,)).fetchall())
        holder = suite_rows.holder_in(rows[0][0] if rows else "")
        who = f"process {holder['pid']} on {holder['host']}" if holder else "another program"
        since = time.strftime(" since %H:%M on %Y-%m-%d", time.localtime(holder.get("since", 0.0)))
        return (
            f"The suite {name} is being run by {who}{since if holder else ''}. Wait until it "
            "ends, or end it there; then resume it."
        )
