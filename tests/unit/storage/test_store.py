"""One store for everything that is kept: whatever happens to its file, no work fails."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys

import pytest

from comparator.storage import database
from comparator.storage.store import Kind, Store

SCHEMA = "CREATE TABLE IF NOT EXISTS t (a TEXT PRIMARY KEY)"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "folder" / "things.sqlite3"


@pytest.fixture
def make(place):
    """Make a store of this place, closed when the test is over."""
    made = []

    def new(version: int = 1, path=None, **more) -> Store:
        kind = Kind("Things", SCHEMA, version, lambda: place, **more)
        made.append(Store(kind, path))
        return made[-1]

    yield new
    for store in made:
        store.close()


def add(store: Store, value: str) -> None:
    store.ask(
        lambda connection: connection.execute("INSERT OR REPLACE INTO t VALUES (?)", (value,))
    )


def all_of(store: Store) -> list[str] | None:
    return store.ask(lambda c: [row[0] for row in c.execute("SELECT a FROM t ORDER BY a")])


def test_what_is_kept_is_there_again(make, place):
    store = make()
    assert not place.exists()  # opened late
    add(store, "x")
    store.close()
    add(store, "y")
    assert all_of(make()) == ["x", "y"]
    assert store.state() == "Things are kept."


def test_work_that_fails_leaves_nothing_of_itself(make, caplog):
    store = make()

    def half(connection):
        connection.execute("INSERT INTO t VALUES ('half')")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with caplog.at_level(logging.WARNING):
        assert store.ask(half) is None
    assert "Things are not kept: no such table" in caplog.text
    assert all_of(store) == []


def test_a_file_damaged_while_it_is_open_is_begun_anew(make, place):
    store = make()
    add(store, "x")
    store.close()
    place.write_bytes(b"no database at all" * 100)
    add(store, "y")
    assert all_of(store) == ["y"]
    assert store.state() == ("Things are kept. 1 damaged earlier file of them were put aside.")


def test_a_connection_that_breaks_is_opened_again(make):
    store = make()
    add(store, "x")
    store._connection.close()
    add(store, "y")
    assert all_of(store) == ["x", "y"]


def test_what_cannot_be_written_is_kept_in_memory_and_said(make, tmp_path):
    (tmp_path / "file").write_text("")
    store = make(path=tmp_path / "file" / "things.sqlite3")
    add(store, "x")
    assert all_of(store) == ["x"]
    assert store.state().startswith("Things are not kept: things.sqlite3 cannot be used (")
    assert str(tmp_path) not in store.state()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_said_by_those_who_may_not_write(make, place):
    add(make(), "x")
    place.chmod(0o444)
    place.parent.chmod(0o555)
    try:
        store = make()
        add(store, "y")
        assert store.state().startswith("Things are not kept: ")
    finally:
        place.parent.chmod(0o755)


def test_a_read_only_database_is_said(make, monkeypatch):
    opened = database.opened

    def read_only(*arguments):
        found = opened(*arguments)
        found.connection.execute("PRAGMA query_only = 1")
        return found

    monkeypatch.setattr(database, "opened", read_only)
    store = make()
    assert all_of(store) == []
    assert store.state() == "Things are not kept: attempt to write a readonly database."


def test_another_program_that_holds_the_file_is_not_waited_for_long(make, place, caplog):
    store = make(busy_seconds=0.05)
    add(store, "x")
    other = sqlite3.connect(place, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with caplog.at_level(logging.WARNING):
            add(store, "y")
        assert "Things are not kept: database is locked" in caplog.text
        assert store.state() == "Things are not kept: database is locked."
        assert all_of(store) == ["x"]  # readers go on
        assert all_of(make(busy_seconds=0.05)) == ["x"]  # and so do those who open it meanwhile
    finally:
        other.close()
    add(store, "y")
    assert all_of(store) == ["x", "y"]
    assert store.state() == "Things are kept."


def test_a_file_of_an_earlier_version_is_led_to_this_one(make, place):
    add(make(1), "x")
    second = make(
        3,
        upgrades={
            1: ("ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'new'",),
            2: ("UPDATE t SET a = a || '!'",),
        },
    )
    assert second.ask(lambda c: c.execute("SELECT a, b FROM t").fetchall()) == [("x!", "new")]
    assert not list(place.parent.glob("*.broken-*"))


def test_a_file_that_no_upgrade_leads_from_is_put_aside(make, place):
    add(make(1), "x")
    assert all_of(make(3, upgrades={2: ("SELECT 1",)})) == []
    assert len(list(place.parent.glob("*.broken-*"))) == 1


UPGRADE = """
import sys
from pathlib import Path
from comparator.storage.store import Kind, Store
upgrades = {1: ("ALTER TABLE t ADD COLUMN b TEXT", "UPDATE t SET b = 'new'")}
schema = "CREATE TABLE IF NOT EXISTS t (a TEXT PRIMARY KEY)"
store = Store(Kind("Things", schema, 2, lambda: Path(sys.argv[1]), upgrades))
print(store.ask(lambda c: c.execute("SELECT a, b FROM t").fetchall()))
"""


@pytest.mark.process
def test_two_programs_upgrade_it_once(make, place):
    store = make(1)
    add(store, "x")
    store.close()
    command = [sys.executable, "-c", UPGRADE, str(place)]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [other.communicate(timeout=60)[0] for other in others] == ["[('x', 'new')]\n"] * 3
    assert not list(place.parent.glob("*.broken-*"))


def test_the_folder_of_what_can_be_found_out_again_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPARATOR_CACHE_DIR", str(tmp_path))
    assert database.cache_path("x.sqlite3") == tmp_path / "x.sqlite3"
