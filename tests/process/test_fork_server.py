"""The fork server's door: who may ask, what is no request, and what happens when it cannot."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from comparator.core.models import ModelInfo
from runners import protocol
from runners.child import fork_loop
from runners.supervision.fork_server import ForkedChild, ForkServer, fork_servers

if not sys.platform.startswith("linux"):
    pytest.skip("children are forked on Linux alone", allow_module_level=True)

pytestmark = pytest.mark.process

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
        door.send(fork_loop.REQUEST)  # without descriptors
        socket.send_fds(door, [fork_loop.REQUEST], [null])
        socket.send_fds(door, [b"other"], [null] * 4)
        socket.send_fds(door, [fork_loop.REQUEST], [null] * 9)
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
    assert wait_until(lambda: gone(pid), 5)


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
