"""Which proxies may say where a visitor comes from, and what of it is believed."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass

from comparator.core.exceptions import ConfigurationError

EVERYBODY = "*"
LOOPBACK = ("127.0.0.0/8", "::1")
_MOST_CHARACTERS = 1000  # of a header, from its end: the beginning is the visitor's own to write

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class TrustedProxies:
    """The machines whose ``X-Forwarded-…`` headers are believed.

    Attributes:
        networks: their addresses; ``everybody`` stands for all.
        everybody: whoever connects is a proxy.
        skips_private: addresses of private networks in the header are further proxies.
    """

    networks: tuple[Network, ...] = ()
    everybody: bool = False
    skips_private: bool = False

    def trusts(self, peer: str) -> bool:
        """Whether a machine that connects may speak for a visitor."""
        address = _address(peer)
        return self.everybody or (address is not None and self._is_one(address))

    def visitor(self, forwarded: str) -> str:
        """Return the visitor's address by ``X-Forwarded-For``; nothing where it tells none.

        Each proxy adds at the end whom it saw, so it is read from there: the first address
        that is no proxy's own. What stands before it may be forged.
        """
        for text in reversed(forwarded[-_MOST_CHARACTERS:].split(",")):
            address = _address(text)
            if address is None:
                return ""
            if self._is_between(address):
                continue
            return str(address)
        return ""

    def _is_one(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self.networks)

    def _is_between(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return self._is_one(address) or (self.skips_private and not address.is_global)


def trusted_addresses(texts: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the proxies that were given, else those of ``COMPARATOR_TRUSTED_PROXIES``.

    Args:
        texts: an address, a network such as ``10.0.0.0/8``, or ``*`` for everybody, each.

    Raises:
        ConfigurationError: one of them is none of these.
    """
    named = texts or os.environ.get("COMPARATOR_TRUSTED_PROXIES", "").split(",")
    addresses = tuple(text.strip() for text in named if text.strip())
    for text in addresses:
        if text != EVERYBODY and _network(text) is None:
            raise ConfigurationError(
                f"--trusted-proxy and COMPARATOR_TRUSTED_PROXIES take an address, a network such "
                f"as 10.0.0.0/8, or *, not {text!r}."
            )
    return addresses


def trusted_proxies(
    addresses: Sequence[str], *, on_a_space: bool, share: bool, root_path: bool
) -> TrustedProxies:
    """Return who is believed: those named, else what the way of serving needs, else nobody.

    On a Space nobody but its host's proxies can connect, whose addresses are not documented.
    The tunnel of a public link, and a proxy that shows the page under a path, are programs of
    this machine.
    """
    if addresses:
        return TrustedProxies(_networks(addresses), everybody=EVERYBODY in addresses)
    if on_a_space:
        return TrustedProxies(everybody=True, skips_private=True)
    if share or root_path:
        return TrustedProxies(_networks(LOOPBACK), skips_private=share)
    return TrustedProxies()


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(network for text in texts if (network := _network(text)) is not None)


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address, which may stand with a port; None where it is none."""
    plain = text.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
