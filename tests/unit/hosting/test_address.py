"""Where the page listens, and why it cannot."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.address import refuse_bad_address, root_path, server_name, server_port


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ROOT_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (server_name(), server_port(), root_path()) == (None, None, None)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "8000")
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/compare")
    assert (server_name(), server_port(), root_path()) == ("0.0.0.0", 8000, "/compare")
    assert (server_name("::1"), server_port(1), root_path("/x")) == ("::1", 1, "/x")


@pytest.mark.parametrize(
    "text", ["0", "-1", "65536", "99999999999999999999", "abc", "80.5", "٣", " "]
)
def test_what_is_no_port_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_PORT", text)
    with pytest.raises(ConfigurationError, match="from 1 to 65535"):
        server_port()


@pytest.mark.parametrize("number", [0, -1, 65_536, 10**30])
def test_a_given_number_that_no_port_has(number: int) -> None:
    with pytest.raises(ConfigurationError, match="from 1 to 65535"):
        server_port(number)


@pytest.mark.parametrize("name", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_taken_port_is_told(name: str, taken: int) -> None:
    with pytest.raises(ConfigurationError, match=f"Port {taken} of .* is taken"):
        refuse_bad_address(name, taken)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_free_one_and_any_one_are_not(name: str, taken: int) -> None:
    refuse_bad_address(name, None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    refuse_bad_address(name, port)


@pytest.mark.parametrize(
    "name", ["192.0.2.77", "no-such-host.invalid", "a" * 300, "a..b", "\x1b[2J"]
)
def test_what_is_not_this_machines_is_told(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--server-name and GRADIO_SERVER_NAME") as told:
        refuse_bad_address(name, None)
    assert "\x1b" not in str(told.value)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "does not let this user"), (errno.EPERM, "cannot listen")]
)
def test_what_the_system_forbids_is_told(
    number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bind(_self: object, _place: object) -> None:
        raise OSError(number, "no")

    class Socket(socket.socket):
        pass

    Socket.bind = bind  # type: ignore[method-assign,assignment]
    monkeypatch.setattr(socket, "socket", Socket)
    with pytest.raises(ConfigurationError, match=words):
        refuse_bad_address("127.0.0.1", 80)
