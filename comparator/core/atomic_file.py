"""Replacing a file in one step, whatever happens to the writer meanwhile."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import tempfile
import time
from pathlib import Path

SUFFIX = ".partial"
STALE_SECONDS = 3600.0  # after which a rest is nobody's, wherever its writer lived


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file by new content in one step that a crash cannot halve.

    A link is followed, so that it stays a link. What writers left behind that were killed
    before they had finished is removed.

    Raises:
        OSError: the folder is not writable or the disk is full; the old file is untouched.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_rests(target)
    data = content.encode() if isinstance(content, str) else content
    prefix = f".{target.name}.{_node()}-{os.getpid()}."
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=prefix, suffix=SUFFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def remove_rests(target: Path) -> None:
    """Remove the unfinished files of writers that are gone; never that of one who writes."""
    name = re.compile(rf"\.{re.escape(target.name)}\.(?:(\w+)-(\d+)\.)?\w+{re.escape(SUFFIX)}")
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            match = name.fullmatch(entry.name)
            if match and _is_a_rest(entry, match[1], match[2]):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _is_a_rest(entry: os.DirEntry[str], node: str | None, pid: str | None) -> bool:
    if node == _node() and pid is not None and _is_dead(int(pid)):
        return True
    with contextlib.suppress(OSError):
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS
    return False


def _is_dead(pid: int) -> bool:
    """Tell whether no process has this number; unknown on Windows, where asking would kill it."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's
        return False
    return False


def _node() -> str:
    """Return this machine's or container's name, in letters that any file name may have."""
    return re.sub(r"\W", "_", platform.node())[:32] or "here"


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a loss of power, where folders can be synchronised."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
