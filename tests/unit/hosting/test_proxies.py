"""Whose word on a visitor's address is taken, and what of it."""

from __future__ import annotations

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.proxies import TrustedProxies, trusted_addresses, trusted_proxies


def believed(*addresses: str, on_a_space: bool = False, share: bool = False,
             root_path: bool = False) -> TrustedProxies:  # fmt: skip
    return trusted_proxies(addresses, on_a_space=on_a_space, share=share, root_path=root_path)


def test_by_default_nobody() -> None:
    assert not any(map(believed().trusts, ("127.0.0.1", "::1", "10.0.0.1", "8.8.8.8", "")))


@pytest.mark.parametrize("way", ["share", "root_path"])
def test_programs_of_this_machine_where_one_of_them_shows_the_page(way: str) -> None:
    proxies = believed(**{way: True})
    assert all(map(proxies.trusts, ("127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1")))
    assert not any(map(proxies.trusts, ("10.0.0.1", "8.8.8.8", "testclient", "")))


def test_on_a_space_whoever_can_connect() -> None:
    assert believed(on_a_space=True).trusts("10.20.1.2")


def test_those_named_stand_in_place_of_the_defaults() -> None:
    proxies = believed("10.0.0.0/8", "192.168.1.2", "fd00::/8", on_a_space=True, share=True)
    assert all(map(proxies.trusts, ("10.9.9.9", "192.168.1.2", "fd12::1")))
    assert not any(map(proxies.trusts, ("192.168.1.3", "127.0.0.1")))
    assert believed("*").trusts("8.8.8.8")


@pytest.mark.parametrize(
    ("forwarded", "visitor"),
    [
        ("8.8.4.4", "8.8.4.4"),
        ("1.1.1.1, 8.8.4.4", "8.8.4.4"),
        ("1.1.1.1, 8.8.4.4, 10.0.0.3", "8.8.4.4"),
        ("1.1.1.1, 8.8.4.4:5123,10.0.0.3:80", "8.8.4.4"),
        ("[2001:4860:4860::8888]:443, 10.0.0.3", "2001:4860:4860::8888"),
        ("8.8.4.4, nonsense, 10.0.0.3", ""),
        ("nonsense, 10.0.0.3", ""),
        ("10.0.0.3", ""),
        ("8.8.8.8," + "x" * 100_000, ""),
        ("", ""),
    ],
)
def test_the_header_is_read_from_its_end(forwarded: str, visitor: str) -> None:
    assert believed(on_a_space=True).visitor(forwarded) == visitor


def test_visitors_of_ones_own_network_are_told_apart_behind_its_proxy() -> None:
    proxies = believed("192.168.1.2")
    assert proxies.visitor("6.6.6.6, 192.168.1.77") == "192.168.1.77"
    assert proxies.visitor("6.6.6.6, 192.168.1.77, 192.168.1.2") == "192.168.1.77"


def test_the_environment_names_them_and_a_flag_does_it_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMPARATOR_TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16,")
    assert trusted_addresses() == ("10.0.0.1", "10.1.0.0/16")
    assert trusted_addresses(["*"]) == ("*",)
    monkeypatch.delenv("COMPARATOR_TRUSTED_PROXIES")
    assert trusted_addresses() == ()


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.0/33", "10.0.0", "**"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--trusted-proxy"):
        trusted_addresses([text])
