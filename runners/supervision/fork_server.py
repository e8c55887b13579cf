"""Starting children: one warm fork server per engine, or a fresh process where fork is missing.

A fork server is a process that has imported one engine's libraries and nothing else
(``runners.child.fork_loop``). It starts with a cleaned environment and never runs an operation
of those libraries: one parallel operation in it, and every child forked from it hangs. A child
costs it one fork; what it imported is shared by all of them.

It takes requests from its own parent alone, over a pair of sockets of which it inherited one
end: there is no address at which a process that was taken over could ask. See
docs/decisions/0001.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from runners import protocol, registry
from runners.child import fork_loop
from runners.machine import temporary
from runners.supervision import environment, termination
from runners.supervision.spawning import SpawnedChild as SpawnedChild

_CLOSE_GRACE_SECONDS = 2.0
_KILL_GRACE_SECONDS = 1.0


def fork_is_safe() -> bool:
    """Tell whether children may be forked: not on Windows, nor on macOS, whose Metal breaks."""
    return sys.platform.startswith("linux")


class ForkServer:
    """The fork server of one engine."""

    def __init__(self, kind: str, modelling_modules: Sequence[str] = ()) -> None:
        self.kind = kind
        self._modules = [*registry.engine(kind).warm_modules, *modelling_modules]
        self._server: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None  # our end; the server ends when it is closed
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process id of the server, None while none runs."""
        server = self._server
        return server.pid if server and server.poll() is None else None

    def ensure_running(self) -> None:
        """Start the server, or replace one that died; returns before its imports are done."""
        with self._lock:
            self._running_door()

    def ask_for_fork(self, wire: int, log: int) -> tuple[int, int]:
        """Ask for a child that has these two descriptors.

        Returns:
            The descriptor that tells its process id and its exit code, and the one that takes
            its task.

        Raises:
            OSError: no server can be started, or this one takes no more requests.
        """
        with self._lock:
            try:
                return _ask(self._running_door(), wire, log)
            except ConnectionError:  # it is dying, and not yet known to be dead
                self._forget()
                return _ask(self._running_door(), wire, log)

    def close(self) -> None:
        """End the server, and with it any child that still runs."""
        with self._lock:
            self._forget()

    def ask_for_end(self) -> None:
        """Ask the server to end; returns at once."""
        server = self._server
        if server is not None:
            server.terminate()

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
        return self._door

    def _launch(self, door: int) -> subprocess.Popen[bytes]:
        entry = "from runners.child.fork_loop import serve"
        call = f"serve({door}, {self._modules!r})"
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


def _ask(door: socket.socket, wire: int, log: int) -> tuple[int, int]:
    with contextlib.ExitStack() as sent, contextlib.ExitStack() as kept:
        told, tell = os.pipe()
        kept.callback(os.close, told)
        sent.callback(os.close, tell)
        take, give = os.pipe()
        kept.callback(os.close, give)
        sent.callback(os.close, take)
        try:
            socket.send_fds(door, [fork_loop.REQUEST], [take, tell, wire, log])
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


class ForkedChild:
    """A child forked from a fork server. ``pid`` is None until the fork server has told it."""

    def __init__(
        self, fork_server: ForkServer, assignment: protocol.Assignment, fds: list[int]
    ) -> None:
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.trouble: str | None = None
        self.fork_server_died = False  # then the exit code is unknown
        wire, log = fds
        self._told, self._give = fork_server.ask_for_fork(wire, log)
        os.set_blocking(self._told, False)
        self._assignment = assignment
        self._buffer = b""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when there is news to ``poll``."""
        return self._told

    def poll(self) -> int | None:
        """Take in the fork server's news; return the exit code once the child has been reaped."""
        size = fork_loop.NUMBER.size
        while self.exit_code is None:
            try:
                data = os.read(self._told, size - len(self._buffer))
            except BlockingIOError:
                break
            if not data:  # the fork server itself is gone, and its children die with it
                self.exit_code, self.fork_server_died = 255, True
                break
            self._buffer += data
            if len(self._buffer) == size:
                (number,) = fork_loop.NUMBER.unpack(self._buffer)
                self._buffer = b""
                self._take(number)
        return self.exit_code

    def close(self) -> None:
        """Close the descriptors, and kill the child where it still runs."""
        if self.exit_code is None and self.pid is not None:
            termination.kill_tree(self.pid)
        if self.pid is None:
            os.close(self._give)  # a child that is forked later finds no task and exits
        os.close(self._told)

    def _take(self, number: int) -> None:
        if self.pid is not None:
            self.exit_code = number
        elif number < 0:
            self.exit_code, self.trouble = 1, _no_process(-number)
        else:
            self.pid = number
            self._give_task()

    def _give_task(self) -> None:
        task = {"sys_path": sys.path, "folder": _folder(), "assignment": self._assignment}
        with contextlib.suppress(BrokenPipeError), open(self._give, "wb") as pipe:
            pipe.write(pickle.dumps(task))


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _no_process(error: int) -> str:
    return (
        f"The system refused to start a model process: {os.strerror(error)}. It may be out of "
        "memory or of processes; close programs and try again."
    )


class ForkServers:
    """The fork servers of this program, started when first needed or warmed up before."""

    def __init__(self) -> None:
        self._by_kind: dict[str, ForkServer] = {}
        self._modelling: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def warm_up(self, kinds: Sequence[str], modelling_modules: Sequence[str] = ()) -> None:
        """Start the fork servers of these engines now; their imports go on in the background.

        One that cannot be started is left to the run that needs it, which says why.
        """
        if modelling_modules:
            self._modelling = tuple(modelling_modules)
        for kind in kinds:
            if fork_is_safe():
                with contextlib.suppress(OSError):
                    self.of(kind).ensure_running()

    def of(self, kind: str) -> ForkServer:
        """Return the fork server of an engine; kinds without libraries share the light one."""
        kind = kind if registry.is_known(kind) else "echo"
        with self._lock:
            if not self._by_kind:
                temporary.remove_stale()
            if kind not in self._by_kind:
                modules = self._modelling if kind == "pytorch" else ()
                self._by_kind[kind] = ForkServer(kind, modules)
            return self._by_kind[kind]

    def pids(self) -> list[int]:
        """Return the process ids of the fork servers that run."""
        return list(self.by_kind().values())

    def by_kind(self) -> dict[str, int]:
        """Return the process ids of the fork servers that run, by the engine of each."""
        with self._lock:
            servers = list(self._by_kind.items())
        pids = {kind: server.pid for kind, server in servers}
        return {kind: pid for kind, pid in pids.items() if pid is not None}

    def close(self) -> None:
        """End all fork servers; the next run starts new ones."""
        with self._lock:
            fork_servers, self._by_kind = list(self._by_kind.values()), {}
        for fork_server in fork_servers:
            fork_server.ask_for_end()
        for fork_server in fork_servers:
            fork_server.close()


fork_servers = ForkServers()
atexit.register(fork_servers.close)
