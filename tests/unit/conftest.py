"""Unit tests start no process: one that forks, or starts a program, fails."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from leftovers import none_may_be_left

from comparator.core.quiet import quiet

STARTS = ("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")


class Watch:
    """Refuses what starts a process while a unit test runs, and remembers it.

    An audit hook sees each way that Python has, by whatever name it was imported; it cannot be
    taken off again, so that it looks only while a test is being watched.
    """

    def __init__(self) -> None:
        self.is_watching = False
        self.started: list[str] = []
        sys.addaudithook(self.see)

    def see(self, event: str, arguments: Any) -> None:
        """Refuse an event that starts a process."""
        if self.is_watching and event in STARTS:
            self.refuse(f"{event}: {str(arguments)[:200]}")

    def refuse(self, what: str) -> None:
        self.started.append(what)
        raise AssertionError(f"a unit test starts a process ({what})")


watch = Watch()


@pytest.fixture(scope="session", autouse=True)
def watched_fork_exec() -> Iterator[None]:
    """Stand before what multiprocess starts its servers with, of which no hook is told."""
    name = "_posixsubprocess"
    if importlib.util.find_spec(name) is None:  # not on Windows
        yield
        return
    module = importlib.import_module(name)
    original = module.fork_exec

    def fork_exec(*arguments: Any) -> int:
        if watch.is_watching:
            watch.refuse(f"fork_exec: {str(arguments)[:200]}")
        return int(original(*arguments))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fork_exec", fork_exec)
        yield


@pytest.fixture(autouse=True)
def quiet_of_its_own() -> Iterator[None]:
    """Let runs that a test has begun and never ended hold nothing up in another one."""
    yield
    for run in list(quiet._runs):
        quiet.end_run(run)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that starts a process, also where the code under test swallowed the refusal.

    One that must, beside its relatives here, is marked ``process``, and may leave none behind.
    """
    if request.node.get_closest_marker("process"):
        with none_may_be_left():
            yield
        return
    watch.started.clear()
    watch.is_watching = True
    yield
    watch.is_watching = False
    assert not watch.started, "mark it with pytest.mark.process, or move it to tests/process"
