"""The process of one engine's fork server: its start, what it says, and when it may end."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from runners import registry
from runners.child import fork_door
from runners.supervision import environment

_CLOSE_GRACE_SECONDS = 2.0
_KILL_GRACE_SECONDS = 1.0
_REST_SECONDS = 5.0  # far longer than the import of any one module
_POLL_SECONDS = 0.1


class ForkServer:
    """The fork server of one engine.

    Attributes:
        kind: its engine.
        modelling_modules: what it imports beside the engine's own, at its next start.
        on_idle: called when the last of its children and reservations is gone.
    """

    def __init__(self, kind: str, modelling_modules: Sequence[str] = ()) -> None:
        self.kind = kind
        self.modelling_modules = tuple(modelling_modules)
        self.on_idle: Callable[[], None] = _nothing
        self._server: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None  # our end; the server ends when it is closed
        self._lock = threading.Lock()
        self._children = self._reservations = self._waiting = 0
        self._idle_since = time.monotonic()
        self._is_ready = self._rests = self._is_to_rest = False

    @property
    def pid(self) -> int | None:
        """The process id of the server, None while none runs."""
        server = self._server
        return server.pid if server and server.poll() is None else None

    @property
    def is_ready(self) -> bool:
        """Whether its imports are done."""
        with self._lock:
            return self.pid is not None and self._listen() and self._is_ready

    def ensure_running(self) -> None:
        """Start the server, or replace one that died; returns before its imports are done."""
        with self._lock:
            self._running_door()

    def wait_ready(
        self, timeout_seconds: float, should_stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Start the server where need be and wait until its imports are done.

        Returns:
            Whether they are; False where it died, took too long, or nobody wants it any more.

        Raises:
            OSError: no server can be started.
        """
        self.ensure_running()
        with self._lock:
            self._waiting += 1
        try:
            self.go_on()
            return self._wait_for(lambda: self._is_ready, timeout_seconds, should_stop)
        finally:
            with self._lock:
                self._waiting -= 1

    def rest(self) -> None:
        """Have the imports stand still, and wait until they do; nothing where it has imported.

        One that somebody waits for, or has asked for a child, does not rest.
        """
        with self._lock:
            is_needed = self._waiting or self._children
            if self._door is None or not self._listen() or self._is_ready or is_needed:
                return
            if not self._is_to_rest:
                self._rests, self._is_to_rest = False, self._say(fork_door.REST)
        self._wait_for(lambda: self._rests or self._is_ready or not self._is_to_rest, _REST_SECONDS)

    def go_on(self) -> None:
        """Have imports that stand still go on."""
        with self._lock:
            if self._is_to_rest and self._say(fork_door.GO_ON):
                self._is_to_rest = False

    def ask_for_fork(self, wire: int, log: int) -> tuple[int, int]:
        """Ask for a child that has these two descriptors; ``child_ended`` is told of its end.

        Returns:
            The descriptor that tells its process id and its exit code, and the one that takes
            its task.

        Raises:
            OSError: no server can be started, or this one takes no more requests.
        """
        with self._lock:
            try:
                fds = _ask(self._running_door(), wire, log)
            except ConnectionError:  # it is dying, and not yet known to be dead
                self._forget()
                fds = _ask(self._running_door(), wire, log)
            self._children += 1
            return fds

    def child_ended(self) -> None:
        """Note that a child is gone."""
        self._less(children=1)

    def reserve(self) -> None:
        """Have it kept until ``release``, though it has no children."""
        with self._lock:
            self._reservations += 1

    def release(self) -> None:
        """Take a reservation back."""
        self._less(reservations=1)

    def idle_seconds(self) -> float | None:
        """Return for how long nobody has needed it; None where it does not run or is needed."""
        with self._lock:
            return time.monotonic() - self._idle_since if self._is_idle() else None

    def end_if_idle(self, for_seconds: float = 0.0) -> bool:
        """End it where nobody has needed it for so long; return whether that was so.

        Asking for a child takes the same lock: none is asked of a server that is being ended.
        """
        with self._lock:
            may_end = self._is_idle() and time.monotonic() - self._idle_since >= for_seconds
            if may_end:
                self._forget()
            return may_end

    def close(self) -> None:
        """End the server, and with it any child that still runs."""
        with self._lock:
            self._forget()

    def ask_for_end(self) -> None:
        """Ask the server to end; returns at once."""
        server = self._server
        if server is not None:
            server.terminate()

    def _is_idle(self) -> bool:
        return self.pid is not None and not self._children and not self._reservations

    def _less(self, children: int = 0, reservations: int = 0) -> None:
        with self._lock:
            self._children -= children
            self._reservations -= reservations
            self._idle_since = time.monotonic()
            is_idle = self._is_idle()
        if is_idle:
            self.on_idle()

    def _running_door(self) -> socket.socket:
        if self._door is None or self.pid is None:
            self._forget()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            with theirs:
                try:
                    self._server = self._launch(theirs.fileno())
                except BaseException:
                    ours.close()
                    raise
            self._door = ours
            self._idle_since = time.monotonic()
        return self._door

    def _launch(self, door: int) -> subprocess.Popen[bytes]:
        modules = [*registry.engine(self.kind).warm_modules, *self.modelling_modules]
        entry = "from runners.child.fork_loop import serve"
        call = f"serve({door}, {modules!r})"
        code = f"import sys; sys.path[:] = {sys.path!r}; {entry}; {call}"
        return subprocess.Popen(
            [sys.executable, *_interpreter_flags(), "-c", code],
            env=environment.cleaned(os.environ),
            pass_fds=(door,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent alone
        )

    def _forget(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None
        if self._server is not None:
            _end(self._server)
            self._server = None
        self._is_ready = self._rests = self._is_to_rest = False

    def _say(self, word: bytes) -> bool:
        """Say something to the server; return whether it is there to hear it."""
        try:
            return self._door is not None and self._door.send(word) > 0
        except OSError:
            return False

    def _listen(self) -> bool:
        """Take in what the server has said; return whether it is still there to say more."""
        while self._door is not None:
            try:
                word = self._door.recv(len(fork_door.RESTING))
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not word:
                return False
            self._is_ready = self._is_ready or word == fork_door.READY
            self._rests = word == fork_door.RESTING
        return False

    def _wait_for(
        self,
        is_so: Callable[[], bool],
        timeout_seconds: float,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        end = time.monotonic() + timeout_seconds
        while True:
            with self._lock:
                is_there, door = self._listen(), self._door
                if is_so() or not is_there or door is None:
                    return is_so()
            left = end - time.monotonic()
            if left <= 0 or should_stop():
                return False
            _wait_for_news(door, min(left, _POLL_SECONDS))


def _nothing() -> None:
    """Take the place of one who wants to know when a server is idle."""


def _wait_for_news(door: socket.socket, seconds: float) -> None:
    news = select.poll()
    with contextlib.suppress(ValueError, OSError):  # it has just been closed
        news.register(door, select.POLLIN)
        news.poll(seconds * 1000)


def _ask(door: socket.socket, wire: int, log: int) -> tuple[int, int]:
    with contextlib.ExitStack() as sent, contextlib.ExitStack() as kept:
        told, tell = os.pipe()
        kept.callback(os.close, told)
        sent.callback(os.close, tell)
        take, give = os.pipe()
        kept.callback(os.close, give)
        sent.callback(os.close, take)
        try:
            socket.send_fds(door, [fork_door.REQUEST], [take, tell, wire, log])
        except BlockingIOError as error:
            raise OSError("the fork server has stopped taking requests") from error
        kept.pop_all()  # the caller's from now on
    return told, give


def _interpreter_flags() -> list[str]:
    """Return the command-line options that make an interpreter like this one."""
    flags = sys.flags
    letters = {
        "-I": flags.isolated, "-E": flags.ignore_environment, "-s": flags.no_user_site,
        "-B": flags.dont_write_bytecode, "-O": flags.optimize == 1, "-OO": flags.optimize == 2,
        "-Xutf8": flags.utf8_mode, "-Xdev": flags.dev_mode,
        "-P": getattr(flags, "safe_path", False),
    }  # fmt: skip
    return [*(letter for letter, is_set in letters.items() if is_set), *_warning_flags()]


def _warning_flags() -> list[str]:
    return [f"-W{option}" for option in sys.warnoptions]


def _end(server: subprocess.Popen[bytes]) -> None:
    """End a server and reap it; one that the system itself holds is left to the system."""
    for ask, grace_seconds in (
        (server.terminate, _CLOSE_GRACE_SECONDS),
        (server.kill, _KILL_GRACE_SECONDS),
    ):
        ask()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(grace_seconds)
            return
