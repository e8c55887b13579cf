"""SHA-256 of files: each is read once, until it changes. Programs may share what is known."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

from comparator.core.quiet import quiet
from comparator.storage import database
from comparator.storage.store import Kind, Store

_MOST_PLACES = 100  # of one content
_CHUNK_BYTES = 4 * 1024 * 1024
_BY_CONTENT = re.compile(r"^(?:sha256[-:])?([0-9a-f]{64})$")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    noted REAL NOT NULL
)
"""
_KIND = Kind("Digests", _SCHEMA, 1, lambda: database.cache_path("digests.sqlite3"))


def digest_in_name(path: Path) -> str | None:
    """Return the SHA-256 that a store named by content gives a file, links followed.

    Ollama names a blob ``sha256-`` and 64 digits, the Hub's cache a large file by 64 digits.
    """
    match = _BY_CONTENT.match(os.path.basename(os.path.realpath(path)))
    return match[1] if match else None


class Digests:
    """SHA-256 of files, kept by path, size and time of change; safe for several programs.

    Args:
        path: the database; None takes the one in the user's cache folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._store = Store(_KIND, path)

    def known(self, path: Path) -> str | None:
        """Return a file's digest if it is known without reading the file."""
        try:
            status = path.stat()
        except OSError:
            return None
        return digest_in_name(path) or self._kept(path, status)

    def places_of(self, digest: str) -> list[Path]:
        """Return the files of this content that were read here and have not changed since."""
        question = "SELECT path FROM digests WHERE sha256 = ? ORDER BY noted DESC LIMIT ?"
        rows = self._ask(question, (digest, _MOST_PLACES))
        paths = [Path(os.fsdecode(str(row[0]).encode())) for row in rows]
        return [path for path in paths if self.known(path) == digest]

    def of(self, path: Path) -> str | None:
        """Return a file's digest, reading all of it where need be; None if it cannot be read."""
        digest = self.known(path)
        if digest is None:
            try:
                status = path.stat()
                digest = _sha256(path)
            except OSError:
                return None
            self._keep(path, status, digest)
        return digest

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        self._store.close()

    def _kept(self, path: Path, status: os.stat_result) -> str | None:
        values = (_text(path), status.st_size, status.st_mtime_ns)
        question = "SELECT sha256 FROM digests WHERE path = ? AND size = ? AND mtime_ns = ?"
        rows = self._ask(question, values)
        return str(rows[0][0]) if rows else None

    def _keep(self, path: Path, status: os.stat_result, digest: str) -> None:
        row = (_text(path), status.st_size, status.st_mtime_ns, digest, time.time())
        self._ask("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", row)

    def _ask(self, statement: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        found = self._store.ask(lambda connection: connection.execute(statement, values).fetchall())
        return found or []  # a digest that is not kept is computed again


def _text(path: Path) -> str:
    return os.fsencode(os.path.realpath(path)).decode("utf-8", "backslashreplace")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            quiet.rest()
            digest.update(chunk)
    return digest.hexdigest()
