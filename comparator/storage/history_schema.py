"""How the history lies in its SQLite file, and what of a comparison can be searched."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import unicodedata
from collections.abc import Iterator
from typing import Any

from comparator.core.text import without_surrogates
from comparator.storage import database
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.store import Kind

VERSION = 1
MOST_SEARCHED = 200_000  # characters of a comparison: an index of a megabyte of prompt helps nobody
SHORTEST_INDEXED = 3  # characters; SQLite's trigrams know no shorter word
_TABLES = """
CREATE TABLE IF NOT EXISTS comparisons (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created REAL NOT NULL,
    is_pinned INTEGER NOT NULL,
    parent TEXT,
    question TEXT NOT NULL,
    columns TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS comparisons_by_time ON comparisons (owner, created, number);
CREATE TABLE IF NOT EXISTS wholes (number INTEGER PRIMARY KEY, whole BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL);
"""
# It reads the texts from their table, and is told by hand what comes and goes.
_INDEX = """
CREATE VIRTUAL TABLE IF NOT EXISTS trigrams USING fts5(
    text, content='texts', content_rowid='number', tokenize='trigram'
);
"""


@functools.cache
def has_index() -> bool:
    """Return whether this SQLite has full text search by trigrams (FTS5 of 3.34 or later)."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE tried USING fts5(text, tokenize='trigram')")
        except sqlite3.Error:
            return False
    return True


@functools.cache
def kind() -> Kind:
    """Return what the store is told of the file."""
    return Kind(
        "Comparisons",
        _TABLES + _INDEX * has_index(),
        VERSION,
        database.history_path,
        is_precious=True,
    )


def folded(text: str) -> str:
    """Return a text as it is searched: without the difference of cases and of widths."""
    return unicodedata.normalize("NFKC", without_surrogates(text)).casefold()


def searched(kept: KeptComparison) -> str:
    """Return what can be found of a comparison: names, questions, system prompts and answers."""
    texts = dict.fromkeys(text for record in kept.records for text in _texts(record) if text)
    return folded("\n".join(texts)[:MOST_SEARCHED])


def _texts(record: dict[str, Any]) -> Iterator[str]:
    yield str(record["model"].get("name", ""))
    yield from (str(one["content"]) for one in record["prompt"]["messages"])
    yield str(record.get("content") or "")
