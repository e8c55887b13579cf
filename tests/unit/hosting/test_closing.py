"""A page that closes: everything is asked to end first, and all waits share one time.

The clock is made up: whatever is waited for never ends, and takes all the time that it is given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comparator.core import countdown
from comparator.hosting import host as hosting
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.session import Session
from comparator.hub.downloads import Downloads
from comparator.services import inference_engine
from comparator.services.inference_engine import InferenceEngine
from runners.supervision import fork_server_process
from runners.supervision.fork_server import ForkServers


class Endless:
    """Stands for whatever is to end and does not."""

    def __init__(self, name: str, told: list[str], wait: Callable[[float], None]) -> None:
        self._name, self._told, self._wait = name, told, wait

    def stop(self, *_arguments: object) -> None:
        self._told.append(f"stop {self._name}")

    cancel = terminate = ask_for_end = stop

    def join(self, timeout_seconds: float) -> bool:
        self._told.append(f"wait {self._name}")
        self._wait(timeout_seconds)
        return False

    def close(self, timeout_seconds: float = 0.0) -> None:
        self.join(timeout_seconds)


class Clock:
    """Goes on by what is waited."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(countdown, "time", clock)
    return clock


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def endless(told: list[str], clock: Clock) -> Callable[[str], Any]:
    return lambda name: Endless(name, told, clock.wait)


def _is_in_order(told: list[str]) -> bool:
    """Whether nothing was waited for before everything had been asked to end."""
    words = [line.partition(" ")[0] for line in told]
    return words == sorted(words)  # stop, wait


def test_a_page_waits_once_for_all_that_it_asked_to_end(
    tmp_path: Path, clock: Clock, told: list[str], endless: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    host = Host(ServerOptions(models_dir=tmp_path))
    host.library.work = endless("ladder")
    host.downloads = endless("downloads")
    host.engine.trials = endless("trials")
    monkeypatch.setattr(inference_engine.fork_servers, "close", lambda: None)
    for name in ("one", "two", "three"):
        session: Session = endless(f"session of {name}")
        session.visitor = ""
        host._sessions._by_key[name] = [session]
    host.engine.active_inferencers = {"a": endless("a"), "b": endless("b")}
    began = clock.now
    host.close()
    assert clock.now - began == hosting.CLOSE_SECONDS
    asked = [line.partition(" ")[2] for line in told if line.startswith("stop")]
    waited = [line.partition(" ")[2] for line in told if line.startswith("wait")]
    assert set(waited) == set(asked)
    first_wait = next(number for number, line in enumerate(told) if line.startswith("wait"))
    before = {line.partition(" ")[2] for line in told[:first_wait]}
    assert before >= {"ladder", "downloads", "trials", "session of one", "session of three"}


def test_an_engine_waits_once_for_all_its_comparisons(
    clock: Clock, told: list[str], endless: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference_engine.fork_servers, "close", lambda: None)
    engine = InferenceEngine()
    engine.trials = endless("trials")
    engine.active_inferencers = {name: endless(name) for name in ("a", "b", "c")}
    began = clock.now
    engine.cleanup_resources()
    assert clock.now - began == inference_engine.JOIN_SECONDS
    assert _is_in_order(told)
    assert engine.active_inferencers == {}


def test_downloads_are_waited_for_together(
    tmp_path: Path, clock: Clock, told: list[str], endless: Callable[[str], Any]
) -> None:
    downloads = Downloads(tmp_path)
    downloads._all = {name: endless(name) for name in ("a", "b", "c")}
    began = clock.now
    downloads.close(7.0)
    assert clock.now - began == 7.0
    assert _is_in_order(told)


def test_fork_servers_are_all_asked_to_end_before_one_is_waited_for(
    told: list[str], endless: Callable[[str], Any]
) -> None:
    servers = ForkServers()
    servers._by_kind = {name: endless(name) for name in ("gguf", "pytorch", "echo")}
    servers.close()
    assert len(told) == 6
    assert _is_in_order(told)
    assert servers.pids() == []


def test_a_fork_server_that_the_system_holds_is_not_waited_for_without_end() -> None:
    waits: list[float | None] = []

    class Held:
        def terminate(self) -> None:
            waits.clear()

        def kill(self) -> None:
            assert waits == [fork_server_process._CLOSE_GRACE_SECONDS]

        def wait(self, timeout: float | None = None) -> int:
            waits.append(timeout)
            raise fork_server_process.subprocess.TimeoutExpired("server", timeout or 0)

    fork_server_process._end(Held())  # type: ignore[arg-type]
    assert waits == [
        fork_server_process._CLOSE_GRACE_SECONDS,
        fork_server_process._KILL_GRACE_SECONDS,
    ]


def test_a_session_that_is_stopped_before_it_stands_in_line_gives_its_place_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "alpha.echo.json").write_text("{}")
    host = Host(ServerOptions(models_dir=tmp_path, line_length=1))
    at_work = host.admission.enter()
    model = host.shelf().offered[0]
    comparison = hosting.Comparison(host.engine.request("hi", [model]), lambda: None)
    session = Session(host.engine, comparison)
    session.stop()  # by another thread, before the one that made it comes to ``begin``
    assert session.position == 0
    ended = threading.Event()
    session.begin(host.admission, lambda: None, ended.set)
    assert ended.wait(10)  # although the one before it still is at work
    host.admission.enter().leave()  # which a place that was kept would refuse
    at_work.leave()
