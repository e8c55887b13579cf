"""One trial of an engine in a child that is thrown away, and what it means that it ended so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from comparator.core.exceptions import EngineMissingError
from comparator.library.changes import child_jobs
from comparator.library.changes.child_jobs import ShouldStop
from comparator.storage.trial_verdicts import Failure
from runners import exit_diagnosis, process, protocol, registry
from runners.machine import temporary
from runners.supervision.fork_server import fork_is_safe, fork_servers
from runners.timeouts import Deadlines

# A trial takes half a second. From the moment at which its child lives it may take this long;
# before, a cold fork server imports its libraries, and a spawned child does so itself.
TRIAL_SECONDS = 10.0
SPAWNED_TRIAL_SECONDS = 60.0
PUT_OFF = "its trial was put off"
_DEADLINES = Deadlines(load_seconds=120.0, total_seconds=180.0)


class NotTried(Exception):
    """A trial could not be made.

    Attributes:
        is_passing: it was only not wanted just now.
        is_unusable: the library itself cannot be used, so that another build may take its place.
    """

    def __init__(self, reason: str, *, is_passing: bool = False, is_unusable: bool = False) -> None:
        super().__init__(reason)
        self.is_passing = is_passing
        self.is_unusable = is_unusable


@dataclass(frozen=True)
class Tried:
    """What the trial of one level has shown; ``failure`` is None where it was right."""

    failure: Failure | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


class _Found(msgspec.Struct):
    """What a trial job returns."""

    right: bool
    reason: str = ""
    chosen: dict[str, Any] = {}
    notes: list[str] = []
    figures: dict[str, float] = {}


class _Clock:
    """Tells when a trial is to be ended: it takes too long, or nobody wants it any more."""

    def __init__(self, should_stop: ShouldStop) -> None:
        self._should_stop = should_stop
        self._limit = TRIAL_SECONDS if fork_is_safe() else SPAWNED_TRIAL_SECONDS
        self.lives_since: float | None = None
        self.is_late = False

    def has_run_out(self) -> bool:
        """Whether it is to be ended."""
        if self.lives_since is not None:
            self.is_late = time.monotonic() - self.lives_since > self._limit
        return self.is_late or self._should_stop()


def try_level(kind: str, library: str, settings: dict[str, Any], should_stop: ShouldStop) -> Tried:
    """Try one level's settings in a child.

    Raises:
        NotTried: the trial could not be made, which says nothing of the engine.
    """
    clock = _Clock(should_stop)
    final: protocol.Message | None = None
    with temporary.private_directory() as folder:
        if folder is None:
            raise NotTried("there is no temporary folder that may be written to (TMPDIR names one)")
        with _undisturbed(kind, library, should_stop):
            job = _assignment(kind, library, settings, folder)
            for message in child_jobs.messages(job, clock.has_run_out, _DEADLINES):
                final = message
                if isinstance(message, protocol.Hello):
                    clock.lives_since = time.monotonic()
    return _meaning(final, clock)


@contextlib.contextmanager
def _undisturbed(kind: str, library: str, should_stop: ShouldStop) -> Iterator[None]:
    """Have this engine's fork server warm for the body, and no other import beside it.

    What a trial measures is kept for good.
    """
    server = registry.server_of(kind, library)
    reservation = fork_servers.reserve()
    try:
        if process.has_server(kind):
            reservation.make_ready([server], should_stop)
        yield
    finally:
        reservation.release()


def within(level: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a level with what was chosen where it leaves a choice.

    What a level fixes to off stays so: a trial never chooses more than was tried.
    """
    settings: dict[str, Any] = {}
    for name, value in level.items():
        found = chosen.get(name, value)
        if isinstance(value, Mapping):
            settings[name] = within(value, found if isinstance(found, Mapping) else {})
        else:
            settings[name] = found if value in (None, True, "auto") else value
    return settings


def _assignment(
    kind: str, library: str, settings: dict[str, Any], folder: str
) -> protocol.Assignment:
    arguments = {"settings": settings, "library": library, "target": folder}
    return protocol.Assignment(
        protocol.Job(f"try_{kind}", arguments),
        started=time.monotonic(),
        writable=(folder,),
        verdict={"library": library},
    )


def _meaning(final: protocol.Message | None, clock: _Clock) -> Tried:
    if isinstance(final, protocol.Finished):
        return _told(final.text)
    if isinstance(final, protocol.Crashed):
        return Tried(Failure(died=_death(final)))
    if isinstance(final, protocol.Failed):
        unusable = EngineMissingError.__name__ in final.traceback
        words = final.message.rstrip(".")
        raise NotTried(f"its trial could not be made ({words})", is_unusable=unusable)
    if clock.is_late or isinstance(final, protocol.TimedOut):
        raise NotTried("its trial took too long")
    raise NotTried(PUT_OFF, is_passing=True)


def _told(text: str) -> Tried:
    try:
        found = msgspec.json.decode(text, type=_Found)
    except (msgspec.MsgspecError, ValueError) as error:
        raise NotTried(f"its trial told nothing that can be understood ({error})") from error
    failure = None if found.right else Failure(reason=found.reason[:500])
    return Tried(failure, found.chosen, tuple(found.notes), found.figures)


def _death(final: protocol.Crashed) -> str:
    """Return what compiled code died by.

    Raises:
        NotTried: something else ended the child, such as the system for want of memory.
    """
    if final.cause == exit_diagnosis.ZYGOTE_DIED:  # twice, so that its import may be what ends it
        raise NotTried("the process that imports it ended each time", is_unusable=True)
    died = exit_diagnosis.native_death(final.exit_code) if final.kind == "crashed" else None
    if died is None:
        raise NotTried(f"its trial could not be made ({final.cause.rstrip('.')})")
    return died
