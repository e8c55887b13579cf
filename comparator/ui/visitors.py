"""Who asks: a session that only one browser or client knows, and the address it comes from."""

from __future__ import annotations

import ipaddress
import os
from typing import Any


def session_of(request: Any) -> str:
    """Return the key under which a visitor's runs are kept; secret, never shown or logged."""
    return str(getattr(request, "session_hash", None) or "")


def visitor_of(request: Any) -> str:
    """Return what one visitor's sessions have in common: the address, else the session.

    Behind a proxy on this machine (such as the tunnel of a public link) the server has read the
    address from X-Forwarded-For already. On a Space the proxy is another machine, so the header
    is read here: from its end, since its beginning is the visitor's own to write.
    """
    client = getattr(request, "client", None)
    address = str(getattr(client, "host", "") or "")
    if os.environ.get("SPACE_ID"):
        address = _nearest_public(_forwarded(request)) or address
    return address if address and not _is_private(address, loopback_only=True) else ""


def _forwarded(request: Any) -> list[str]:
    headers = getattr(request, "headers", None) or {}
    text = str(headers.get("x-forwarded-for") or "")
    return [part.strip() for part in text[-1000:].split(",") if part.strip()]


def _nearest_public(addresses: list[str]) -> str:
    """Return the last address that is no machine of the host's own network."""
    return next((one for one in reversed(addresses) if not _is_private(one)), "")


def _is_private(text: str, loopback_only: bool = False) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return True  # no address at all
    return address.is_loopback if loopback_only else not address.is_global
