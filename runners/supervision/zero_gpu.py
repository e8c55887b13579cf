"""Runs on a ZeroGPU Space, where a GPU is lent to one call of a decorated function at a time.

Hugging Face's package ``spaces`` runs that function in a process that it forks from this one:
there the whole run takes place, over the same two sockets, which the fork inherits. The process
is ended after the run, since a worker that is kept would keep the model's memory. See
docs/spaces.md; ``spaces`` and gradio are imported on a ZeroGPU Space alone.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from comparator.core.config import ModelConfig
from runners import protocol, registry
from runners.child import life
from runners.supervision import termination

KINDS = frozenset({"custom", "pytorch"})  # llama.cpp's prebuilt wheels here compute on the CPU
SHORTEST_SECONDS, LONGEST_SECONDS = 20, 120
_LOAD_SECONDS, _TOKENS_PER_SECOND = 15, 20
_REAP_SECONDS = 5.0
_PID = struct.Struct("q")


def is_zero_gpu() -> bool:
    """Return whether this is a ZeroGPU Space."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def takes(assignment: protocol.Assignment) -> bool:
    """Return whether a run needs the lent GPU; work on files and GGUF models do without."""
    return is_zero_gpu() and not assignment.is_job and assignment.kind in KINDS


def make_ready() -> None:
    """Import what runs need and register them; before the page opens, and nowhere else.

    The package must be there before the first use of CUDA, and looks for decorated functions when
    the page is launched. Nothing that is imported here may run an operation: it is forked.
    """
    if not is_zero_gpu():
        return
    _on_the_gpu()
    for name in registry.engine("pytorch").warm_modules:
        with contextlib.suppress(Exception):  # the run meets the same error and tells it
            importlib.import_module(name)


def lent_seconds(assignment: protocol.Assignment, *_descriptors: int) -> int:
    """Return the GPU time to ask for: less is granted sooner, more costs the visitor's quota."""
    config = assignment.config or ModelConfig()
    if config.max_tokens is None:
        return LONGEST_SECONDS
    tokens = config.max_tokens * max(1, assignment.answers)
    wanted = _LOAD_SECONDS + tokens // _TOKENS_PER_SECOND
    return min(max(wanted, SHORTEST_SECONDS), LONGEST_SECONDS)


def live(assignment: protocol.Assignment, wire: int, log: int, tell: int, parent: int) -> None:
    """Live a child's life in the lent process; everything but the end of it goes over the wire."""
    os.write(tell, _PID.pack(os.getpid()))
    os.close(tell)
    life.visit(assignment, socket.socket(fileno=wire), socket.socket(fileno=log), parent)


@functools.cache
def _on_the_gpu() -> Callable[..., None]:
    import spaces

    decorated: Callable[..., None] = spaces.GPU(duration=lent_seconds)(live)
    return decorated


class LentChild:
    """A run in the process that ZeroGPU lends. ``pid`` is None until a GPU was granted.

    Args:
        assignment: the run.
        wire: the child's end of the messages' socket.
        log: the child's end of the socket for what it prints.
        context: where the visitor's request is, whose quota the GPU time counts against.
    """

    fork_server_died = False

    def __init__(
        self,
        assignment: protocol.Assignment,
        wire: socket.socket,
        log: socket.socket,
        context: contextvars.Context,
    ) -> None:
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.trouble: str | None = None
        self._told, tell = os.pipe()
        os.set_blocking(self._told, False)
        self._theirs = [os.dup(wire.fileno()), os.dup(log.fileno()), tell]
        self._assignment = assignment
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        threading.Thread(
            target=context.copy().run, args=(self._call,), name="comparator-zero-gpu", daemon=True
        ).start()

    def fileno(self) -> int:
        """Return no descriptor: the end is polled, since the worker's exit is another's to see."""
        return -1

    def poll(self) -> int | None:
        """Return the exit code once the process is gone: 0, or 1 where the call failed."""
        self._read_pid()
        if self.exit_code is None and self._is_over.is_set():
            self.exit_code = 1 if self.trouble else 0
        return self.exit_code

    def close(self) -> None:
        """Kill the process where it still runs; one that is lent later finds nobody and exits."""
        self._read_pid()
        if self.pid is not None and not self._is_over.is_set():
            termination.kill_tree(self.pid)
            self._is_over.wait(_REAP_SECONDS)
        with self._lock:
            os.close(self._told)
            self._told = -1

    def _call(self) -> None:
        try:
            _on_the_gpu()(self._assignment, *self._theirs, os.getpid())
        except BaseException as error:
            self.trouble = _words(error, lent_seconds(self._assignment))
        finally:
            self._read_pid()
            self._end_worker()
            for descriptor in self._theirs:
                os.close(descriptor)
            self._is_over.set()

    def _read_pid(self) -> None:
        with self._lock:
            if self.pid is None and self._told >= 0:
                with contextlib.suppress(BlockingIOError):
                    data = os.read(self._told, _PID.size)
                    self.pid = _PID.unpack(data)[0] if len(data) == _PID.size else None

    def _end_worker(self) -> None:
        """Kill the process, which would wait for another call, and wait until it is reaped."""
        if self.pid is None:
            return
        termination.kill_tree(self.pid)
        end = time.monotonic() + _REAP_SECONDS
        while psutil.pid_exists(self.pid) and time.monotonic() < end:
            time.sleep(0.01)


def _words(error: Any, seconds: int) -> str:
    said = str(getattr(error, "message", None) or error).rstrip(".")
    if said == "GPU task aborted":
        return (
            f"The Space ended the model's GPU process: its {seconds} s may be over, or its memory "
            "ran out. Ask for fewer tokens, or choose a smaller model."
        )
    return f"The Space lent no GPU: {said}. Try again later."
