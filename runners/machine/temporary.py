"""Temporary folders that only this user can see, each removed when its use is over."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

_PREFIX = "comparator-run-"
_NAME = re.compile(rf"^{_PREFIX}(\d+)-")


def make() -> str:
    """Make a folder and return its path.

    Raises:
        OSError: there is no writable temporary folder.
    """
    try:
        return tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    except OSError as error:
        raise OSError(
            f"there is no writable temporary folder ({error.strerror or error}); "
            "set TMPDIR to a folder that you may write to"
        ) from error


def remove(path: str) -> None:
    """Remove a folder and what is in it."""
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def private_directory() -> Iterator[str | None]:
    """Keep a folder for the time of a run; None where nothing can be written."""
    try:
        path = make()
    except OSError:
        yield None
        return
    try:
        yield path
    finally:
        remove(path)


def use(path: str | None) -> None:
    """Make a folder the temporary one of this process, for libraries that ask for one."""
    if path is not None:
        os.environ["TMPDIR"] = path
        tempfile.tempdir = path


def remove_stale() -> None:
    """Remove the folders of programs that were killed before they could."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(tempfile.gettempdir()):
            match = _NAME.match(entry.name)
            if match and not psutil.pid_exists(int(match[1])):
                shutil.rmtree(Path(entry.path), ignore_errors=True)
