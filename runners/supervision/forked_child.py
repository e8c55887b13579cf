"""A child that a fork server has made: its process id, its task and its end."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from typing import TYPE_CHECKING

from runners import protocol
from runners.child import fork_door
from runners.supervision import termination

if TYPE_CHECKING:
    from runners.supervision.fork_server_process import ForkServer


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
        self._fork_server: ForkServer | None = fork_server  # until it has given its place back
        os.set_blocking(self._told, False)
        self._assignment = assignment
        self._buffer = b""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when there is news to ``poll``."""
        return self._told

    def poll(self) -> int | None:
        """Take in the fork server's news; return the exit code once the child has been reaped."""
        size = fork_door.NUMBER.size
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
                (number,) = fork_door.NUMBER.unpack(self._buffer)
                self._buffer = b""
                self._take(number)
        return self.exit_code

    def close(self) -> None:
        """Close the descriptors, and kill the child where it still runs."""
        if self.exit_code is None and self.pid is not None:
            termination.kill_tree(self.pid)
        server, self._fork_server = self._fork_server, None
        if server is not None:
            server.child_ended()
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
