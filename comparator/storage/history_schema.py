"""How the history lies in its SQLite file, and what of a comparison can be searched."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from comparator.core.text import without_surrogates
from comparator.storage import database
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.store import Kind

VERSION = 1
MOST_SEARCHED = 200_000  # characters of a comparison: an index of a megabyte of prompt helps nobody
_LETTERS = 3  # of a trigram
_MOST_TRIGRAMS = 48  # of one word that are looked up; the rest of it is compared
_MOST_BEGINNINGS = 256  # trigrams that begin with the shorter words of a search, all together
_TABLES = """
CREATE TABLE IF NOT EXISTS comparisons (
    number INTEGER PRIMARY KEY,  -- when it was asked, so that a list needs no other order
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created REAL NOT NULL,
    is_pinned INTEGER NOT NULL,
    parent TEXT,
    question TEXT NOT NULL,
    columns TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS comparisons_by_owner ON comparisons (owner, number);
CREATE TABLE IF NOT EXISTS wholes (number INTEGER PRIMARY KEY, whole BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL);
"""
# It reads the texts from their table, and is told by hand what comes and goes. It knows which
# trigrams a text has, and not where: that is a quarter of the size, and what is found is compared.
_INDEX = """
CREATE VIRTUAL TABLE IF NOT EXISTS trigrams USING fts5(
    text, content='texts', content_rowid='number', tokenize='trigram case_sensitive 1',
    detail='none'
);
CREATE VIRTUAL TABLE IF NOT EXISTS trigram_terms USING fts5vocab('trigrams', 'row');
"""
_END = " " * (_LETTERS - 1)  # so that every letter begins a trigram, and short words are found


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
    """Return a text as it is searched: without the difference of cases and of widths.

    And without NUL, at which SQLite's index and its questions end.
    """
    return unicodedata.normalize("NFKC", without_surrogates(text)).casefold().replace("\0", " ")


def searched(kept: KeptComparison) -> str:
    """Return what can be found of a comparison: names, questions, system prompts and answers."""
    texts = dict.fromkeys(text for record in kept.records for text in _texts(record) if text)
    return folded("\n".join(texts)[:MOST_SEARCHED]) + _END


def _texts(record: dict[str, Any]) -> Iterator[str]:
    yield str(record["model"].get("name", ""))
    yield from (str(one["content"]) for one in record["prompt"]["messages"])
    yield str(record.get("content") or "")


def trigrams_of(connection: sqlite3.Connection, words: Sequence[str]) -> str | None:
    """Return what the index is asked for: texts that may have all of the words.

    Empty where the words say too little to be looked up; None where no text has one of them.
    """
    asked: list[str] = []
    left = _MOST_BEGINNINGS
    for word in dict.fromkeys(words):
        if len(word) >= _LETTERS:
            places = range(min(len(word) - _LETTERS + 1, _MOST_TRIGRAMS))
            asked += [_quoted(word[place : place + _LETTERS]) for place in places]
            continue
        begun = _beginning_with(connection, word)
        if not begun:
            return None
        if len(begun) <= left:  # what is not looked up is compared
            left -= len(begun)
            asked.append(f"({' OR '.join(map(_quoted, begun))})")
    return " AND ".join(dict.fromkeys(asked))


def _beginning_with(connection: sqlite3.Connection, word: str) -> list[str]:
    question = "SELECT term FROM trigram_terms WHERE term >= ? AND term < ? LIMIT ?"
    found = connection.execute(question, (word, f"{word}\U0010ffff", _MOST_BEGINNINGS + 1))
    return [term for (term,) in found]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
