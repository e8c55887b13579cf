"""Where the page listens: what flags and environment say, and whether this machine can do it."""

from __future__ import annotations

import errno
import os
import socket

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import with_controls_shown

HIGHEST_PORT = 65_535
_ANOTHER = (
    "choose another port with --server-port, or leave --server-port and GRADIO_SERVER_PORT out "
    "to take the first free one from 7860"
)


def server_name(given: str | None = None) -> str | None:
    """Return the address to listen on: the given one, else ``GRADIO_SERVER_NAME``'s."""
    return given or os.environ.get("GRADIO_SERVER_NAME") or None


def server_port(given: int | None = None) -> int | None:
    """Return the port: the given one, else ``GRADIO_SERVER_PORT``'s; None where there is none.

    Raises:
        ConfigurationError: it is no number, or no port has it.
    """
    if given is None and not os.environ.get("GRADIO_SERVER_PORT"):
        return None
    text = str(given) if given is not None else os.environ["GRADIO_SERVER_PORT"].strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= HIGHEST_PORT):
        raise ConfigurationError(
            f"--server-port and GRADIO_SERVER_PORT take a number from 1 to {HIGHEST_PORT}, not "
            f"{with_controls_shown(text)!r}."
        )
    return int(text)


def root_path(given: str | None = None) -> str | None:
    """Return the path under which a proxy shows the page: given, else ``GRADIO_ROOT_PATH``'s."""
    return given or os.environ.get("GRADIO_ROOT_PATH") or None


def refuse_bad_address(name: str, port: int | None) -> None:
    """Try whether the page can listen there.

    Args:
        name: a host's name or address; IPv6 with or without brackets.
        port: None where any free one will do.

    Raises:
        ConfigurationError: it cannot, and why.
    """
    troubles = [trouble for place in _places(name, port) if (trouble := _trouble(*place))]
    for trouble in troubles:
        if trouble.errno == errno.EADDRINUSE or len(troubles) == len(_places(name, port)):
            raise ConfigurationError(_words(trouble, name, port)) from trouble


def _places(name: str, port: int | None) -> list[tuple[int, tuple[object, ...]]]:
    host = name.removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"{with_controls_shown(name)!r} is no address that this machine knows ({error}). "
            "--server-name and GRADIO_SERVER_NAME take 127.0.0.1 for this machine alone, 0.0.0.0 "
            "for all its addresses, or one of them."
        ) from error
    return sorted({(int(family), tuple(place)) for family, *_, place in found}, key=str)


def _trouble(family: int, place: tuple[object, ...]) -> OSError | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name != "nt":  # as the server does; there it would share a taken port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)
    except OSError as error:
        return error
    return None


def _words(error: OSError, name: str, port: int | None) -> str:
    shown = with_controls_shown(name)
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {shown} is taken: another program listens there, perhaps another "
            f"page of this one. Stop it, {_ANOTHER}."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{shown} is not an address of this machine. --server-name and GRADIO_SERVER_NAME "
            "take 127.0.0.1 for this machine alone, 0.0.0.0 for all its addresses, or one of them."
        )
    if error.errno == errno.EACCES:
        return (
            f"The system does not let this user listen on port {port}; those below 1024 are "
            f"often kept for the administrator. To go on, {_ANOTHER}."
        )
    return f"The page cannot listen on {shown}, port {port or 'any'}: {error}. {_ANOTHER}."
