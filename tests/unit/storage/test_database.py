"""A database opens whatever it finds in its place."""

from __future__ import annotations

import contextlib
import logging
import os

import pytest

from comparator.storage import database

SCHEMA = "CREATE TABLE IF NOT EXISTS t (a TEXT PRIMARY KEY)"


def test_what_is_written_is_there_again(tmp_path):
    path = tmp_path / "new folder" / "d.sqlite3"
    with contextlib.closing(database.opened(path, SCHEMA, 1).connection) as connection, connection:
        connection.execute("INSERT INTO t VALUES ('x')")
    with contextlib.closing(database.opened(path, SCHEMA, 1).connection) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [("x",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 99])
def test_a_damaged_file_is_kept_aside(tmp_path, caplog, content):
    path = tmp_path / "d.sqlite3"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        database.opened(path, SCHEMA, 1).connection.close()
    (aside,) = tmp_path.glob("d.sqlite3.broken-*")
    assert aside.read_bytes() == content
    assert "a new one begins" in caplog.text
    assert path.exists()


def test_another_version_is_kept_aside(tmp_path, caplog):
    path = tmp_path / "d.sqlite3"
    database.opened(path, SCHEMA, 7).connection.close()
    with caplog.at_level(logging.WARNING):
        database.opened(path, SCHEMA, 1).connection.close()
    assert len(list(tmp_path.glob("d.sqlite3.broken-*"))) == 1
    assert "version is 7, not 1" in caplog.text


def test_a_place_that_is_no_folder_gives_memory(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        connection = database.opened(tmp_path / "file" / "d.sqlite3", SCHEMA, 1).connection
    with contextlib.closing(connection):
        connection.execute("INSERT INTO t VALUES ('x')")
    assert "kept in memory" in caplog.text


def test_a_folder_in_its_place_gives_memory(tmp_path, caplog):
    (tmp_path / "d.sqlite3").mkdir()
    with caplog.at_level(logging.WARNING):
        database.opened(tmp_path / "d.sqlite3", SCHEMA, 1).connection.close()
    assert "kept in memory" in caplog.text


def test_the_places_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPARATOR_CACHE_DIR", str(tmp_path / "c"))
    monkeypatch.setenv("COMPARATOR_DATA_DIR", str(tmp_path / "d"))
    assert database.facts_path() == tmp_path / "c" / "facts.sqlite3"
    assert database.measurements_path() == tmp_path / "d" / "measurements.sqlite3"
    monkeypatch.delenv("COMPARATOR_DATA_DIR")
    assert "multi-llm-comparator" in os.fspath(database.measurements_path())
