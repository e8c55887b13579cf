"""The fork server's own life: import one engine's libraries, then fork a child a request.

Its only door is one end of a socket pair, inherited from the parent that started it. Requests
are packets on it, each with four descriptors; end-of-file means that the parent is gone. There
is no address at which anybody else could ask, and a child closes its copy of the door before
it reads what it is for.

What goes back, on a pipe of each child: its process id, and later its exit code, each as
NUMBER. A negative number in the place of the process id is the error number of a failed fork.

On the door itself the server says READY once, after its imports. Before that it may be asked to
REST: it then stands still between two modules and says RESTING, until it is to GO_ON, is asked
for a fork, or its parent is gone. No signal would do: a stopped process outlives its parent.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from runners.child import descriptors, library_places, life
from runners.child.fork_door import GO_ON, NUMBER, READY, REQUEST, REST, RESTING

SENT_DESCRIPTORS = 4  # the task, where to tell, the wire, the log
_CHILDS_MODULES = ("resource",)  # what each child would import before its sandbox


def serve(door: int, modules: Sequence[str]) -> NoReturn:
    """Import, freeze what the collector would otherwise copy, and fork until the parent ends."""
    with socket.socket(fileno=door) as channel:
        with _resting_when_asked(channel):
            for name in (*_CHILDS_MODULES, *modules):
                with contextlib.suppress(Exception):  # the child meets the same error, tells it
                    importlib.import_module(name)
        library_places.imported()
        gc.collect()
        gc.freeze()
        _say(channel, READY)
        ForkLoop(channel).run()
    os._exit(0)  # at once: the children end with this process


class Rests:
    """Looks at the door between two modules; what it is asked last counts.

    It stands among the finders of modules, since an import can be interrupted nowhere else.
    """

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._news = select.poll()
        self._news.register(door, select.POLLIN)

    def find_spec(self, _name: str, _path: object = None, _target: object = None) -> None:
        """Find nothing, so that the others are asked; rest first where that is wanted."""
        is_resting = False
        while self._news.poll(None if is_resting else 0):
            packet = self._door.recv(len(RESTING), socket.MSG_PEEK)
            if not packet:
                os._exit(0)
            if packet not in (REST, GO_ON):
                return  # a request stays for later, and nobody who waits for a child rests
            self._door.recv(len(RESTING))
            is_resting = packet == REST
            if is_resting:
                _say(self._door, RESTING)


@contextlib.contextmanager
def _resting_when_asked(door: socket.socket) -> Iterator[None]:
    rests = Rests(door)
    sys.meta_path.insert(0, rests)
    try:
        yield
    finally:
        sys.meta_path.remove(rests)


def _say(door: socket.socket, word: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more: the loop ends by that
        door.send(word, socket.MSG_DONTWAIT)


class ForkLoop:
    """Answers requests and tells the ends of the children."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._tell: dict[int, int] = {}  # a child's process id -> where its end is told

    def run(self) -> None:
        """Serve until the parent has closed its end of the door."""
        ended, woken = os.pipe()
        for descriptor in (ended, woken):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that it wakes the poll
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        news = select.poll()
        news.register(self._door, select.POLLIN)
        news.register(ended, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _events in news.poll()}
            if ended in ready:
                os.read(ended, 4096)
                self._reap()
            if self._door.fileno() in ready and not self._answer():
                return

    def _reap(self) -> None:
        while self._tell:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            tell = self._tell.pop(pid, None)
            if tell is not None:
                _tell(tell, os.waitstatus_to_exitcode(status))
                os.close(tell)

    def _answer(self) -> bool:
        """Fork for one request; return False at the end of the door."""
        data, sent, _flags, _address = socket.recv_fds(
            self._door, len(REQUEST) + 1, SENT_DESCRIPTORS + 1
        )
        if not data:
            return False
        for descriptor in sent:
            os.set_inheritable(descriptor, False)
        if data == REQUEST and len(sent) == SENT_DESCRIPTORS:
            self._fork(*sent)
        for descriptor in sent:
            os.close(descriptor)
        return True

    def _fork(self, task: int, tell: int, wire: int, log: int) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            _tell(tell, -(error.errno or 1))
            return
        if pid == 0:
            _become_a_child(task, wire, log, server)
        self._tell[pid] = os.dup(tell)
        _tell(tell, pid)


def _tell(descriptor: int, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody waits for it any more
        os.write(descriptor, NUMBER.pack(number))


def _become_a_child(task: int, wire: int, log: int, server: int) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        descriptors.close_all_but({task, wire, log})
        with open(task, "rb") as told:
            data = told.read()
        if data:  # nothing is told where the run ended before this process was there
            _live(data, wire, log, server)
        code = 0
    except BaseException:
        os.dup2(log, 2)
        traceback.print_exc()
    finally:
        os._exit(code)


def _live(data: bytes, wire: int, log: int, server: int) -> None:
    task: dict[str, Any] = pickle.loads(data)
    sys.path[:] = task["sys_path"]
    if task["folder"]:
        os.chdir(task["folder"])
    life.main(task["assignment"], socket.socket(fileno=wire), socket.socket(fileno=log), server)
