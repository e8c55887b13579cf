"""Who runs a suite: one program at a time, known by a lock that ends with the program."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from filelock import FileLock, Timeout

_FOLDER = "suites.locks"  # beside the file of the suites
_PATIENCE_SECONDS = 1.0  # others look at a lock for an instant, to see whether it is held
_LOOKING_SECONDS = 0.1  # so they wait for each other, and take no look for a run
_POLL_SECONDS = 0.005
_held_here: set[Path] = set()  # what this program holds, so that it need not look
_guard = threading.Lock()


class HeldError(Exception):
    """Somebody has the claim, in this program or another one."""


class Claim:
    """The right to run one suite; the system takes it back when the program ends, however it does.

    Raises:
        HeldError: somebody has it.
        OSError: there is no place for the lock.
    """

    def __init__(self, store: Path, suite: str) -> None:
        """Take it.

        Args:
            store: the file of the suites.
            suite: the suite's id.
        """
        self._place = _place(store, suite)
        with _guard:
            if self._place in _held_here:
                raise HeldError
            _held_here.add(self._place)
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            # Not bound to a thread: whoever stops a run may be another than who began it.
            self._lock = FileLock(self._place, timeout=_PATIENCE_SECONDS, thread_local=False)
            self._lock.acquire()
        except BaseException as error:
            _forget(self._place)
            if isinstance(error, Timeout):
                raise HeldError from None
            raise

    def release(self) -> None:
        """Give it back; harmless when it is done twice."""
        self._lock.release()
        _forget(self._place)

    def __enter__(self) -> Claim:
        """Hold it for the body."""
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        self.release()


def is_held(store: Path, suite: str) -> bool:
    """Return whether a living program runs a suite."""
    place = _place(store, suite)
    if place in _held_here:
        return True
    if not place.exists():
        return False
    lock = FileLock(place, timeout=_LOOKING_SECONDS, thread_local=False)
    try:
        lock.acquire(poll_interval=_POLL_SECONDS)
    except Timeout:
        return True
    except OSError:  # the folder is not ours, or cannot be written
        return False
    lock.release()
    return False


def forget(store: Path, suite: str) -> None:
    """Take away what is left of the lock of a suite that is gone."""
    with contextlib.suppress(OSError):
        _place(store, suite).unlink()


def _place(store: Path, suite: str) -> Path:
    return store.absolute().parent / _FOLDER / f"{suite}.lock"


def _forget(place: Path) -> None:
    with _guard:
        _held_here.discard(place)
