"""The parent's side of one run: start the child, read it, end it, and say how it ended.

One thread a run, the pump, is the only writer of its state. Others call ``stop`` (a flag, and a
byte that wakes the pump) and receive messages through the ``deliver`` function that they gave.
"""

from __future__ import annotations

import contextlib
import contextvars
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dill

from comparator.core.exceptions import ConfigurationError
from runners import exit_diagnosis, protocol, registry, safe_settings
from runners.executor import Deliver, Executor
from runners.executor import Receipt as Receipt
from runners.machine import memory, nvml, temporary
from runners.machine.memory_samples import MemorySamples
from runners.supervision import zero_gpu
from runners.supervision.fork_server import ForkedChild, SpawnedChild, fork_is_safe, fork_servers
from runners.supervision.watch import Child, Watch
from runners.timeouts import Deadlines as Deadlines


class Run:
    """One child process from start to receipt: the executor (``runners.executor``) that is here."""

    def __init__(
        self,
        deadlines: Deadlines | None = None,
        start_method: str | None = None,
        context: contextvars.Context | None = None,
    ) -> None:
        self.receipt: Receipt | None = None
        self.log_tail = ""
        self.evaded_crash: str | None = None  # how it died before it ran with safe settings
        self._deliver: Deliver = _forget
        self._deadlines = deadlines or Deadlines()
        self._method = start_method
        self._context = context or contextvars.copy_context()
        self._stop_asked = threading.Event()
        self._stop_waker: socket.socket | None = None  # wakes the pump, which may be at rest
        self._thread = threading.Thread(target=self._live, name="comparator-pump", daemon=True)
        self._child: Child | None = None
        self._samples = MemorySamples(time.monotonic())

    def start(self, assignment: protocol.Assignment, deliver: Deliver) -> None:
        """Start the child; messages arrive until exactly one final one."""
        self.assignment = assignment
        self._samples = MemorySamples(assignment.started)
        self._deliver = deliver
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end and return at once; harmless at any time."""
        self._stop_asked.set()
        waker = self._stop_waker
        if waker is not None:
            with contextlib.suppress(OSError):  # woken often enough, or the run has ended
                waker.send(b".")

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the child is reaped; return whether it is."""
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    @property
    def verdict(self) -> dict[str, Any]:
        """What the engine was told in the end: the safest settings where it died with others."""
        return self.assignment.verdict

    @property
    def pid(self) -> int | None:
        """The child's process id, None before it exists."""
        return self._child.pid if self._child else None

    @property
    def samples(self) -> dict[str, list[Any]]:
        """What it has held so far, as ``Receipt.samples``."""
        return self._samples.columns()

    @property
    def looks(self) -> int:
        """How many looks at its memory there were."""
        return self._samples.looks

    def _live(self) -> None:
        try:
            with temporary.private_directory() as folder:
                self.assignment = protocol.with_temporary(self.assignment, folder)
                final = self._play()
        except Exception as error:  # a run ends by a final message, whatever happens
            trace = traceback.format_exc()
            final = protocol.Failed("start", "crashed", _could_not_start(error), trace)
        self._deliver(final)
        self._deliver = _forget  # it knows who holds this run: a circle would keep both alive

    def _play(self) -> protocol.Message:
        before, devices = memory.available_bytes(), nvml.devices()
        self._samples.add(before, 0, [0] * len(devices))
        watch = self._attempt()
        if watch.fork_server_died and not watch.tokens_seen and not watch.ending:
            watch = self._attempt()  # replaced once, before anything was shown
        watch, final = self._once_more_if_it_died(watch)
        self.log_tail = watch.log_tail()
        after = memory.available_bytes()
        self._samples.end(after)
        self.receipt = Receipt(
            available_before=before,
            available_after=after,
            peak_bytes=watch.peak_bytes,
            peak_device_bytes=watch.peak_device_bytes,
            exit_seconds=watch.exit_seconds,
            devices=tuple(map(_given_back, devices, nvml.devices())),
            samples=self._samples.columns(),
        )
        return final

    def _once_more_if_it_died(self, watch: Watch) -> tuple[Watch, protocol.Message]:
        """Try again, once, with the safest settings where compiled code died before any token.

        Where that fails as well, the first end is the one that is told.
        """
        final = watch.final_message()
        died = self._died_early(watch, final)
        safer = safe_settings.of(self.assignment) if died else None
        if died is None or safer is None:
            return watch, final
        cause = safe_settings.cause(self.assignment.kind, died, watch.stage)
        sentence = safe_settings.again(self.assignment.kind, cause)
        self.assignment = safer
        self._deliver(protocol.FellBack((sentence,), again=True))
        second = self._attempt()
        ending = second.final_message()
        failed = isinstance(ending, (protocol.Crashed, protocol.Failed))
        if failed and not second.tokens_seen:
            return watch, final
        self.evaded_crash = None if isinstance(ending, protocol.Cancelled) else cause
        return second, ending

    def _died_early(self, watch: Watch, final: protocol.Message) -> str | None:
        """Return by which signal compiled code died before a token; None for any other end."""
        if not isinstance(final, protocol.Crashed) or final.kind != "crashed":
            return None
        if watch.tokens_seen or watch.ending or self._stop_asked.is_set():
            return None
        return exit_diagnosis.native_death(final.exit_code)

    def _attempt(self) -> Watch:
        self._child = None
        with (
            _pair() as (wire, childs_wire),
            _pair() as (log, childs_log),
            _pair() as (heard, waker),
        ):
            waker.setblocking(False)
            self._stop_waker = waker
            child = self._child = self._begin(childs_wire, childs_log)
            childs_wire.close()
            childs_log.close()
            with contextlib.closing(child):  # which kills what still runs
                watch = Watch(
                    child, wire, log, self._deliver, self._deadlines, self._stop_asked, heard,
                    needed_bytes=self.assignment.needed_bytes,
                    limit_bytes=self.assignment.memory_limit_bytes,
                    answers=self.assignment.answers,
                    at_once=self.assignment.at_once,
                    config=self.assignment.config,
                    samples=self._samples,
                )  # fmt: skip
                watch.until_gone()
        return watch

    def _begin(self, wire: socket.socket, log: socket.socket) -> Child:
        method = self._method or _start_method(self.assignment)
        if method == "lent":
            return zero_gpu.LentChild(self.assignment, wire, log, self._context)
        if method == "spawn":
            return SpawnedChild(self.assignment, wire, log)
        library = self.assignment.verdict.get("library") or ""
        fork_server = fork_servers.of(registry.server_of(self.assignment.kind, library))
        return ForkedChild(fork_server, self.assignment, [wire.fileno(), log.fileno()])


def _given_back(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what an accelerator had free before a run and has after it."""
    free = {"free_before": before["free_bytes"], "free_after": after["free_bytes"]}
    return {"name": before["name"], "total_bytes": before["total_bytes"], **free}


def _forget(_message: protocol.Message) -> None:
    """Take the place of the one to whom a run delivered, after its end."""


def executors_here(
    deadlines: Deadlines | None = None,
) -> Callable[[protocol.Assignment], Executor]:
    """Return what makes the executor of an assignment: child processes of this machine.

    They belong to whoever asks now, such as the visitor whose GPU time is used.
    """
    context = contextvars.copy_context()
    return lambda _assignment: Run(deadlines, context=context)


def has_server(kind: str) -> bool:
    """Whether children of this kind are forked here from a fork server of its engine."""
    return fork_is_safe() and not (zero_gpu.is_zero_gpu() and kind in zero_gpu.KINDS)


def make_ready() -> None:
    """Do what must be done in this process before the page opens; on ZeroGPU Spaces alone."""
    zero_gpu.make_ready()


def _start_method(assignment: protocol.Assignment) -> str:
    """Return how this run's process is made: ``fork``, ``spawn``, or ``lent`` by ZeroGPU."""
    if zero_gpu.takes(assignment):
        return "lent"
    return "fork" if fork_is_safe() else "spawn"


@contextlib.contextmanager
def _pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, childs = socket.socketpair()
    with ours, childs:
        yield ours, childs


def pickled(factories: Sequence[Any]) -> bytes:
    """Return a user's factories as bytes that a child can take, wherever they were defined.

    Raises:
        ConfigurationError: something in them cannot travel to another process.
    """
    if not factories:
        return b""
    try:
        return bytes(dill.dumps(list(factories), recurse=True))
    except Exception as error:
        raise ConfigurationError(
            f"The inferencer factory cannot be sent to a model process: {error}. "
            "It must not hold open files, locks or connections; open them in load_model."
        ) from error


def _could_not_start(error: Exception) -> str:
    return (
        f"The model process could not be started or watched: {error}. "
        "The machine may be out of processes, open files or memory; close programs and retry."
    )
