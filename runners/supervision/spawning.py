"""Children in a fresh interpreter, for systems where fork is missing or unsafe."""

from __future__ import annotations

import os
import socket
import sys

import multiprocess

from runners import protocol
from runners.child import life
from runners.supervision import adapter, environment, termination

_RUN_NAME = "comparator-run"


class SpawnedChild:
    """A child in a fresh interpreter, for systems where fork is missing or unsafe."""

    fork_server_died = False
    trouble: str | None = None

    def __init__(
        self, assignment: protocol.Assignment, wire: socket.socket, log: socket.socket
    ) -> None:
        adapter.keep_main_from_running_again(_RUN_NAME)
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
    trouble = adapter.main_ran_again()
    if trouble:
        wire.sendall(protocol.encode(protocol.Failed("start", "refused", trouble)))
        life.leave()
    life.main(assignment, wire, log, None)
