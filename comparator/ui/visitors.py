"""Who asks: a session that only one browser or client knows, and the address it comes from."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any

from comparator.ui.browsers import COOKIE, is_browser
from comparator.ui.refusals import refusal

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
        raise refusal(NO_SESSION)
    return session


def browser_of(request: Any) -> str:
    """Return whose history a request is about on a public page: a browser's, or else a session's.

    A browser is known by the cookie that the door gives it (``ui/browsers.py``), a client that
    has none by its session. What is returned names neither: it is a hash, safe to be kept.

    Raises:
        gr.Error: the request has neither.
    """
    cookies = getattr(request, "cookies", None) or {}
    known = str(cookies.get(COOKIE, ""))
    secret = f"browser {known}" if is_browser(known) else f"session {session_of(request)}"
    return hashlib.sha256(secret.encode()).hexdigest()[:32]


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
