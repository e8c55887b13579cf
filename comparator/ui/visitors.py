"""Who asks: a session that only one browser or client knows, and the address it comes from."""

from __future__ import annotations

import ipaddress
from typing import Any

import gradio as gr

NO_SESSION = (
    "The request names no session, so nothing was done: without one, visitors could not be told "
    "apart. Send a session_hash of your own with each request, or use gradio_client, which does."
)


def session_of(request: Any) -> str:
    """Return the key under which a visitor's runs are kept; secret, never shown or logged.

    Raises:
        gr.Error: the request has none.
    """
    session = getattr(request, "session_hash", None)
    if not isinstance(session, str) or not session:
        raise gr.Error(NO_SESSION, print_exception=False)
    return session


def visitor_of(request: Any) -> str:
    """Return what one visitor's sessions have in common: the address; nothing for this machine.

    Behind a proxy that is trusted (``hosting.proxies``) the door has put the visitor's address
    in the place of the proxy's.
    """
    client = getattr(request, "client", None)
    try:
        address = ipaddress.ip_address(str(getattr(client, "host", "") or ""))
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    return "" if address.is_loopback else str(address)
