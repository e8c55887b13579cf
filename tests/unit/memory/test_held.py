"""What this program itself holds is told by process."""

from __future__ import annotations

import mmap
import os

import psutil

from comparator.memory import held
from comparator.memory.held import Held
from runners.supervision import fork_server_process
from runners.supervision.fork_server import ForkServer


def test_the_program_and_each_fork_server_are_told(monkeypatch):
    holds = {os.getpid(): 100, 7: 30, 8: 250}
    monkeypatch.setattr(held.memory, "taken_bytes", lambda pid: holds[pid])
    monkeypatch.setattr(held.fork_servers, "by_kind", lambda: {"gguf": 7, "pytorch": 8})
    found = held.held()
    assert found == Held(100, {"gguf": 30, "pytorch": 250})
    assert found.to_record() == {
        "program_bytes": 100,
        "fork_server_bytes": {"gguf": 30, "pytorch": 250},
        "total_bytes": 380,
    }


def test_what_this_process_takes_is_seen():
    before = held.held().program
    with mmap.mmap(-1, 64 * 1024 * 1024) as taken:
        for offset in range(0, len(taken), mmap.PAGESIZE):
            taken[offset] = 1
        assert held.held().program - before > 32 * 1024 * 1024


class Process:
    """A process as the system tells of it."""

    def __init__(self, pid: int, parent: int, *command: str) -> None:
        self.pid, self._parent, self._command = pid, parent, list(command)

    def ppid(self) -> int:
        return self._parent

    def cmdline(self) -> list[str]:
        if not self._command:
            raise psutil.AccessDenied(self.pid)
        return self._command


def server(pid: int, parent: int, *modules: str) -> Process:
    code = f"import sys; from runners.child.fork_loop import serve; serve(3, {list(modules)!r})"
    return Process(pid, parent, "python", "-c", code)


def test_running_pages_are_told_with_the_engines_that_they_keep_warm(monkeypatch):
    processes = [
        Process(1, 0),
        Process(10, 1, "/usr/bin/python", "/usr/bin/comparator", "serve"),
        Process(20, 1, "python", "app.py"),
        Process(30, 1, "python", "-m", "comparator", "models"),
        Process(40, 1, "python", "my_script.py"),
        server(11, 10, "torch", "runners.engines.pytorch.inferencer"),
        server(12, 10, "runners.engines.gguf.warm", "runners.engines.gguf.xllamacpp_inferencer"),
        server(41, 40),
        server(51, os.getpid()),
    ]
    monkeypatch.setattr(held.psutil, "process_iter", lambda: iter(processes))
    monkeypatch.setattr(held.memory, "taken_bytes", lambda pid: pid)
    assert held.running() == {
        10: Held(10, {"pytorch": 11, "gguf": 12}),
        20: Held(20),
        40: Held(40, {"echo": 41}),
    }


def test_a_fork_server_that_runs_is_known_by_its_command(monkeypatch):
    """What the test above makes up is what really stands there."""
    made = []
    monkeypatch.setattr(
        fork_server_process.subprocess, "Popen", lambda command, **_rest: made.append(command)
    )
    ForkServer("pytorch")._launch(3)
    assert held._is_fork_server(made[0])
    assert held._engine_of(made[0][-1]) == "pytorch"
