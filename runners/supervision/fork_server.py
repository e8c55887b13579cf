"""Starting children: one warm fork server per engine, or a fresh process where fork is missing.

A fork server is a fork server of ``multiprocess`` (an own instance each) that has imported one
engine's libraries and nothing else. It starts with a cleaned environment and never runs an
operation of those libraries: one parallel operation in it, and every child forked from it
hangs. A child costs it one fork; what it imported is shared by all of them.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import multiprocess
from multiprocess import forkserver, spawn, util

from runners import protocol, registry
from runners.child import life
from runners.machine import temporary
from runners.supervision import environment, termination

_CLOSE_GRACE_SECONDS = 2.0
_RUN_NAME = "comparator-run"


def fork_is_safe() -> bool:
    """Tell whether children may be forked: not on Windows, nor on macOS, whose Metal breaks."""
    return sys.platform.startswith("linux")


class ForkServer(forkserver.ForkServer):  # type: ignore[misc]  # the library has no types
    """The fork server of one engine."""

    def __init__(self, kind: str, modelling_modules: Sequence[str] = ()) -> None:
        super().__init__()
        self.kind = kind
        self._modules = [*registry.engine(kind).warm_modules, *modelling_modules]
        self._server: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None  # holds the socket at which forks are asked for

    @property
    def pid(self) -> int | None:
        """The process id of the server, None while none runs."""
        return self._server.pid if self._server and self._server.poll() is None else None

    def ensure_running(self) -> None:
        """Start the server, or replace one that died; returns before its imports are done."""
        with self._lock:
            if self.pid is not None:
                return
            self._forget()
            self._start()

    def connect_to_new_process(self, fds: list[int]) -> tuple[int, int]:
        """Ask for a fork; return the descriptors that tell its pid and exit, and take its task.

        Unlike the original this starts no resource tracker: nothing here needs one.
        """
        self.ensure_running()
        asked = self._server
        try:
            return self._ask_for_fork(fds)
        except ConnectionError:  # it is dying, and not yet known to be dead
            with self._lock:
                if self._server is asked:
                    self._forget()
                    self._start()
            return self._ask_for_fork(fds)

    def _ask_for_fork(self, fds: list[int]) -> tuple[int, int]:
        with contextlib.ExitStack() as sent, contextlib.ExitStack() as kept:
            client = sent.enter_context(socket.socket(socket.AF_UNIX))
            no_tracker = sent.enter_context(open(os.devnull, "rb"))
            client.connect(self._forkserver_address)
            told, tell = os.pipe()
            kept.callback(os.close, told)
            sent.callback(os.close, tell)
            take, give = os.pipe()
            kept.callback(os.close, give)
            sent.callback(os.close, take)
            passed = [take, tell, self._forkserver_alive_fd, no_tracker.fileno(), *fds]
            forkserver.reduction.sendfds(client, passed)
            kept.pop_all()  # the caller's from now on
        return told, give

    def close(self) -> None:
        """End the server, and with it any child that still runs."""
        with self._lock:
            self._forget()

    def _start(self) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            self._folder = temporary.make()
            address = os.path.join(self._folder, "listener")
            listener.bind(address)
            listener.listen()
            alive_read, alive_write = os.pipe()
            try:
                self._server = self._launch(listener.fileno(), alive_read)
            except BaseException:
                os.close(alive_write)
                raise
            finally:
                os.close(alive_read)
        self._forkserver_address = address
        self._forkserver_alive_fd = alive_write

    def _launch(self, listener: int, alive: int) -> subprocess.Popen[bytes]:
        call = f"serve({listener}, {alive}, {self._modules!r})"
        door = "from runners.supervision.fork_server import serve"
        code = f"import sys; sys.path[:] = {sys.path!r}; {door}; {call}"
        return subprocess.Popen(
            [sys.executable, *util._args_from_interpreter_flags(), "-c", code],
            env=environment.cleaned(os.environ),
            pass_fds=(listener, alive),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent alone
        )

    def _forget(self) -> None:
        if self._forkserver_alive_fd is not None:
            os.close(self._forkserver_alive_fd)
            self._forkserver_alive_fd = None  # type: ignore[assignment]
        if self._folder is not None:
            temporary.remove(self._folder)
        self._folder = None
        self._forkserver_address = None  # type: ignore[assignment]
        if self._server is not None:
            _end(self._server)
            self._server = None


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_CLOSE_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def serve(listener: int, alive: int, modules: list[str]) -> None:
    """Import, freeze what the collector would otherwise copy, and fork on demand."""
    os.environ.update(environment.cleaned(os.environ))
    for name in modules:
        with contextlib.suppress(Exception):  # the child meets the same error and tells it
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    forkserver.main(listener, alive, [])


class Task:
    """What the fork server's child unpickles and runs in the place of a Process."""

    def __init__(self, assignment: protocol.Assignment, fork_server_pid: int) -> None:
        self.assignment = assignment
        self.fork_server_pid = fork_server_pid

    def _bootstrap(self, parent_sentinel: int) -> int:
        """Live the child's life; called by ``multiprocess`` in the forked process."""
        os.close(parent_sentinel)
        os.close(forkserver._forkserver._forkserver_alive_fd)
        wire, log = forkserver._forkserver._inherited_fds
        life.main(
            self.assignment,
            socket.socket(fileno=wire),
            socket.socket(fileno=log),
            self.fork_server_pid,
        )
        return 0


class ForkedChild:
    """A child forked from a fork server. ``pid`` is None until the fork server has told it."""

    trouble: str | None = None

    def __init__(
        self, fork_server: ForkServer, assignment: protocol.Assignment, fds: list[int]
    ) -> None:
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.fork_server_died = False  # then the exit code is unknown
        self._told, self._give = fork_server.connect_to_new_process(fds)
        os.set_blocking(self._told, False)
        self._task = Task(assignment, fork_server.pid or 0)
        self._buffer = b""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when there is news to ``poll``."""
        return self._told

    def poll(self) -> int | None:
        """Take in the fork server's news; return the exit code once the child has been reaped."""
        while self.exit_code is None:
            try:
                data = os.read(self._told, forkserver.SIGNED_STRUCT.size - len(self._buffer))
            except BlockingIOError:
                break
            if not data:  # the fork server itself is gone, and its children die with it
                self.exit_code, self.fork_server_died = 255, True
                break
            self._buffer += data
            if len(self._buffer) == forkserver.SIGNED_STRUCT.size:
                (number,) = forkserver.SIGNED_STRUCT.unpack(self._buffer)
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
            return
        self.pid = number
        preparation = {"sys_path": sys.path, "dir": os.getcwd()}
        with contextlib.suppress(BrokenPipeError), open(self._give, "wb") as task:
            task.write(pickle.dumps(preparation) + pickle.dumps(self._task))


class SpawnedChild:
    """A child in a fresh interpreter, for systems where fork is missing or unsafe."""

    fork_server_died = False
    trouble: str | None = None

    def __init__(
        self, assignment: protocol.Assignment, wire: socket.socket, log: socket.socket
    ) -> None:
        _never_import_main_again()
        captured = None if sys.platform == "win32" else log
        self._process = multiprocess.get_context("spawn").Process(
            target=live_spawned, args=(assignment, wire, captured), name=_RUN_NAME
        )
        self._process.start()
        self.pid: int | None = self._process.pid
        self.exit_code: int | None = None

    def fileno(self) -> int:
        """Return no descriptor: the exit is polled, since grandchildren inherit the sentinel."""
        return -1

    def poll(self) -> int | None:
        """Return the exit code once the child has been reaped."""
        if self.exit_code is None:
            self.exit_code = self._process.exitcode
        return self.exit_code

    def close(self) -> None:
        """Close the descriptors, and kill the child where it still runs."""
        if self.poll() is None and self.pid is not None:
            termination.kill_tree(self.pid)
            self._process.join()
        self._process.close()


def live_spawned(
    assignment: protocol.Assignment, wire: socket.socket, log: socket.socket | None
) -> None:
    """Live a child's life in a fresh interpreter."""
    clean = environment.cleaned(os.environ)
    os.environ.clear()
    os.environ.update(clean)
    life.main(assignment, wire, log, None)


def _never_import_main_again() -> None:
    """Keep ``multiprocess`` from running the user's script again in our spawned children."""
    original = spawn.get_preparation_data
    if getattr(original, "leaves_main_alone", False):
        return

    def preparation_data(name: str) -> dict[str, Any]:
        data: dict[str, Any] = original(name)
        if name == _RUN_NAME:
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
        return data

    preparation_data.leaves_main_alone = True  # type: ignore[attr-defined]
    spawn.get_preparation_data = preparation_data


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
        with self._lock:
            return [
                fork_server.pid
                for fork_server in self._by_kind.values()
                if fork_server.pid is not None
            ]

    def close(self) -> None:
        """End all fork_servers; the next run starts new ones."""
        with self._lock:
            fork_servers, self._by_kind = list(self._by_kind.values()), {}
        for fork_server in fork_servers:
            fork_server.close()


fork_servers = ForkServers()
atexit.register(fork_servers.close)
