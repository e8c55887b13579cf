"""Who asks, as far as a server can know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from comparator.ui.visitors import session_of, visitor_of


def request(host: str | None, forwarded: str | None = None, session: str = "s") -> Any:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    client = None if host is None else SimpleNamespace(host=host)
    return SimpleNamespace(client=client, headers=headers, session_hash=session)


@pytest.mark.parametrize(
    ("host", "visitor"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_a_visitor_is_an_address_but_never_this_machine(host: str | None, visitor: str) -> None:
    assert visitor_of(request(host)) == visitor


def test_elsewhere_than_on_a_space_the_header_is_the_servers_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert visitor_of(request("192.168.1.7", "8.8.8.8")) == "192.168.1.7"


@pytest.mark.parametrize(
    ("forwarded", "visitor"),
    [
        ("8.8.4.4", "8.8.4.4"),
        ("1.1.1.1, 8.8.4.4", "8.8.4.4"),
        ("1.1.1.1, 8.8.4.4, 10.0.0.3", "8.8.4.4"),
        ("nonsense, 10.0.0.3", "10.1.1.1"),
        ("x" * 100_000, "10.1.1.1"),
        (None, "10.1.1.1"),
    ],
)
def test_on_a_space_it_is_read_from_its_end(
    monkeypatch: pytest.MonkeyPatch, forwarded: str | None, visitor: str
) -> None:
    monkeypatch.setenv("SPACE_ID", "x/y")
    assert visitor_of(request("10.1.1.1", forwarded)) == visitor


def test_a_session_is_its_hash() -> None:
    assert session_of(request("8.8.4.4", session="abc")) == "abc"
    assert session_of(SimpleNamespace()) == ""
