"""The fork server's door: who may ask, what is no request, and what happens when it cannot."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from comparator.core.models import ModelInfo
from runners import protocol
from runners.child import fork_door, fork_loop
from runners.supervision import fork_server
from runners.supervision.fork_server import ForkedChild, ForkServer, ForkServers, fork_servers

if not sys.platform.startswith("linux"):
    pytest.skip("children are forked on Linux alone", allow_module_level=True)

Play = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """A fork server of its own for a test that spoils it."""
    server = ForkServer("echo")
    server.ensure_running()
    yield server
    server.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_no_process_of_ours_has_a_socket_with_a_name(
    echo_model: Callable[..., ModelInfo], begin: Play, wait_until: Play
) -> None:
    """What has no address cannot be connected to."""
    played = begin(echo_model(tokens=4000, tokens_per_second=50))
    assert wait_until(lambda: played.seen(protocol.Token))
    family = [*fork_servers.pids(), played.run.pid]
    assert len(family) >= 2
    for pid in family:
        for connection in psutil.Process(pid).net_connections("all"):
            assert connection.family == socket.AF_UNIX
            assert not connection.laddr
    played.run.stop()
    played.to_end()


def test_a_child_has_nothing_of_its_fork_server(
    echo_model: Callable[..., ModelInfo], begin: Play, wait_until: Play
) -> None:
    others = [begin(echo_model(f"m{n}", tokens=4000, tokens_per_second=20)) for n in range(3)]
    assert wait_until(lambda: all(played.seen(protocol.Token) for played in others))
    for played in others:
        open_files = os.listdir(f"/proc/{played.run.pid}/fd")
        leads = [os.readlink(f"/proc/{played.run.pid}/fd/{number}") for number in open_files]
        assert len(leads) == 4, leads  # the null device, what it prints twice, the wire
        assert sorted(place.split(":")[0] for place in leads) == ["/dev/null", *["socket"] * 3]
    for played in others:
        played.run.stop()
        played.to_end()


def test_what_is_no_request_is_passed_over(server: ForkServer) -> None:
    door = server._door
    assert door is not None
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        door.send(b"hello")
        door.send(fork_door.REQUEST)  # without descriptors
        socket.send_fds(door, [fork_door.REQUEST], [null])
        socket.send_fds(door, [b"other"], [null] * 4)
        socket.send_fds(door, [fork_door.REQUEST], [null] * 9)
    finally:
        os.close(null)
    pid = server.pid
    child = _child(server)
    assert _end_of(child) == 0
    assert server.pid == pid
    assert len(os.listdir(f"/proc/{pid}/fd")) <= 7, "what was sent with it has been closed"


def test_a_server_that_stands_still_refuses_more_than_it_can_hold(
    server: ForkServer, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Asking never waits: the thread that asks has a run to end."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)

    def ask_often() -> None:
        for _ in range(5000):
            for descriptor in server.ask_for_fork(pair[0].fileno(), pair[1].fileno()):
                os.close(descriptor)

    with pytest.raises(OSError, match="stopped taking requests"):
        ask_often()


def test_a_fork_that_the_system_refuses_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, server: ForkServer, pair: tuple[socket.socket, socket.socket]
) -> None:
    def refuse() -> int:
        raise OSError(errno.EAGAIN, "no more processes")

    def ask(wire: int, log: int) -> tuple[int, int]:
        (told, tell), (take, give) = os.pipe(), os.pipe()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fork", refuse)
            fork_loop.ForkLoop(pair[0])._fork(take, tell, wire, log)
        os.close(take)
        os.close(tell)
        return told, give

    monkeypatch.setattr(server, "ask_for_fork", ask)
    child = _child(server)
    assert child.pid is None
    assert child.poll() == 1
    assert child.trouble is not None
    assert child.trouble.startswith("The system refused to start a model process: Resource")
    assert not child.fork_server_died
    child.close()


def test_the_end_of_the_programs_end_of_the_door_ends_everything(
    server: ForkServer, wait_until: Play, gone: Play
) -> None:
    """As when the program is killed: no signal is sent, the door alone is closed."""
    pid = server.pid
    assert server._door is not None
    server._door.close()
    server._door = None
    assert wait_until(lambda: gone(pid))


class TestReadiness:
    @pytest.fixture
    def importing(self, monkeypatch, tmp_path) -> Iterator[tuple[ForkServer, Path, Path]]:
        """A server whose import ends when a file is there; each module says that it came."""
        come, go = tmp_path / "come", tmp_path / "go"
        steps = tmp_path / "fork_server_steps.py"
        steps.write_text(
            "import importlib, os, time\n"
            f"while not os.path.exists({str(go)!r}):\n"
            "    try:\n"
            "        importlib.import_module('no_such_module_at_all')\n"
            "    except ImportError:\n"
            f"        open({str(come)!r}, 'w').close()\n"
            "    time.sleep(0.005)\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        server = ForkServer("echo", ["fork_server_steps"])
        yield server, come, go
        server.close()

    def test_a_server_is_ready_when_its_imports_are_done(self, importing) -> None:
        server, _come, go = importing
        assert not server.wait_ready(0.2)
        assert not server.is_ready
        go.touch()
        assert server.wait_ready(20)
        assert server.is_ready
        server.close()
        assert not server.is_ready

    def test_who_waits_may_lose_interest(self, importing) -> None:
        assert not importing[0].wait_ready(60, lambda: True)

    def test_a_server_that_dies_while_it_imports_is_not_waited_for(self, importing) -> None:
        server, looks = importing[0], itertools.count()

        def dies_at_the_first_look() -> bool:
            look = next(looks)
            if look == 0:
                os.kill(server.pid, signal.SIGKILL)
            assert look < 300, "its end was not seen: a wait to the end has 600 looks"
            return False

        assert not server.wait_ready(60, dies_at_the_first_look)

    def test_imports_rest_until_they_are_to_go_on(self, importing, wait_until) -> None:
        server, come, go = importing
        server.ensure_running()
        assert wait_until(come.exists)
        server.rest()
        go.touch()
        used = psutil.Process(server.pid).cpu_times()
        assert not server.is_ready
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "go_on", lambda: None)
            assert not server.wait_ready(0.5), "one module more, and it would be ready"
        assert psutil.Process(server.pid).cpu_times() == used
        server.go_on()
        assert server.wait_ready(20)

    def test_a_server_that_somebody_waits_for_goes_on(self, importing, wait_until) -> None:
        server, come, go = importing
        server.ensure_running()
        assert wait_until(come.exists)
        server.rest()
        go.touch()
        assert server.wait_ready(20)

    def test_a_server_that_rests_ends_with_the_program(self, importing, wait_until, gone) -> None:
        server, come, _go = importing
        server.ensure_running()
        assert wait_until(come.exists)
        server.rest()
        pid = server.pid
        assert server._door is not None
        server._door.close()
        server._door = None
        assert wait_until(lambda: gone(pid), 5)

    def test_a_child_that_is_asked_of_a_server_at_rest_comes(self, importing, wait_until) -> None:
        server, come, go = importing
        server.ensure_running()
        assert wait_until(come.exists)
        server.rest()
        go.touch()
        assert _end_of(_child(server)) == 0


class TestHeld:
    @pytest.fixture
    def servers(self) -> Iterator[ForkServers]:
        servers = ForkServers()
        yield servers
        servers.close()

    def test_a_server_that_nobody_needs_ends_after_its_time(self, servers, wait_until) -> None:
        servers.warm_up(["echo"])
        assert servers.by_kind()
        servers.keep_warm_seconds = 0.01
        assert wait_until(lambda: not servers.by_kind())
        assert _end_of(_child(servers.of("echo"))) == 0, "the next one finds a new server"

    def test_a_reserved_server_stays_until_it_is_released(self, servers, wait_until) -> None:
        servers.keep_warm_seconds = 0
        reservation = servers.reserve(["echo"])
        assert reservation.make_ready(["echo"]) > 0
        assert reservation.make_ready(["echo"]) == 0.0
        assert servers.of("echo").idle_seconds() is None
        assert not servers.of("echo").end_if_idle()
        reservation.release()
        reservation.release()
        assert wait_until(lambda: not servers.by_kind())
        assert not servers.is_reserved

    def test_a_server_with_a_child_stays_until_the_child_has_ended(
        self, servers, wait_until
    ) -> None:
        child = _child(servers.of("echo"))
        servers.keep_warm_seconds = 0
        assert not servers.of("echo").end_if_idle()
        assert servers.give_back(1) == 0
        os.close(child._give)
        child._give_task = lambda: None
        assert wait_until(lambda: child.poll() is not None)
        child.close()
        assert wait_until(lambda: not servers.by_kind())

    def test_what_is_given_back_is_what_is_idle_the_largest_first(
        self, servers, monkeypatch
    ) -> None:
        kinds = ["echo", "gguf", "gguf/xllamacpp"]
        monkeypatch.setattr(ForkServer, "_launch", lambda self, door: _sleeper())
        servers.warm_up(kinds)
        sizes = {servers.of(kind).pid: size for kind, size in zip(kinds, (1, 30, 20), strict=True)}
        monkeypatch.setattr(fork_server.memory, "taken_bytes", sizes.get)
        assert servers.spare_bytes(keep=["gguf"]) == 21
        assert servers.give_back(5, keep=["gguf"]) == 20
        assert sorted(servers.by_kind()) == ["echo", "gguf"]
        assert servers.give_back(1000) == 31
        assert servers.by_kind() == {}

    def test_the_others_rest_while_a_model_is_measured(self, servers, monkeypatch) -> None:
        rested: list[str] = []
        gone_on: list[str] = []
        monkeypatch.setattr(ForkServer, "_launch", lambda self, door: _sleeper())
        monkeypatch.setattr(ForkServer, "rest", lambda self: rested.append(self.kind))
        monkeypatch.setattr(ForkServer, "go_on", lambda self: gone_on.append(self.kind))
        monkeypatch.setattr(ForkServer, "wait_ready", lambda self, *_: True)
        reservation = servers.reserve(["gguf", "echo"])
        reservation.make_ready(["gguf"])
        assert rested == ["echo"]
        assert gone_on == ["gguf", "echo"], "they import beside it while it is waited for"
        gone_on.clear()
        other = servers.reserve()
        other.make_ready(["echo"])
        assert gone_on == [], "another comparison's model may be measured"
        reservation.release()
        assert gone_on == []
        other.release()
        assert gone_on == ["gguf", "echo"]


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def _child(server: ForkServer) -> ForkedChild:
    """Start a child whose run is over before it begins, and which therefore exits."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assignment = protocol.Assignment(protocol.Job("measure"), 0.0)
        return ForkedChild(server, assignment, [theirs.fileno(), theirs.fileno()])


def _end_of(child: ForkedChild) -> int | None:
    import select

    os.close(child._give)  # no task
    child._give_task = lambda: None  # type: ignore[method-assign]
    while child.poll() is None:
        assert select.select([child], [], [], 20)[0], "the child did not end"
    os.close(child._told)
    return child.exit_code
