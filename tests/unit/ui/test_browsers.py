"""The cookie by which a public page knows a browser again, and whose history it opens."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from comparator.ui.browsers import COOKIE, Browsers, is_browser
from comparator.ui.visitors import browser_of


async def _page(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"page"})


def _cookies(path: str = "/", root_path: str = "", **scope: Any) -> list[str]:
    """Return the cookies that a request is answered with."""
    headers = _headers(path, root_path, **scope)
    return [value.decode() for name, value in headers if name == b"set-cookie"]


def _headers(path: str = "/", root_path: str = "", **scope: Any) -> list[tuple[bytes, bytes]]:
    sent: list[Any] = []

    async def ask() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        asked = {"type": "http", "method": "GET", "path": path, "headers": [], **scope}
        await Browsers(_page, root_path)(asked, None, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert (b"a", b"b") in sent[0]["headers"]
    return list(sent[0]["headers"])


def test_no_cache_hands_the_cookie_of_one_browser_to_others() -> None:
    assert (b"cache-control", b"private, no-store") in _headers()
    assert b"cache-control" not in dict(_headers("/config"))


def _value(cookie: str) -> str:
    return SimpleCookie(cookie)[COOKIE].value


def test_a_browser_gets_a_cookie_that_scripts_cannot_read() -> None:
    (cookie,) = _cookies()
    assert is_browser(_value(cookie))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # over http it would never come back
    (other,) = _cookies()
    assert _value(other) != _value(cookie)


def test_over_https_it_comes_back_from_a_frame_of_another_site() -> None:
    (cookie,) = _cookies(scheme="https")
    assert "SameSite=None; Secure; Partitioned" in cookie


def test_who_has_one_keeps_it() -> None:
    (cookie,) = _cookies()
    sent = f"other=1; {COOKIE}={_value(cookie)}".encode()
    assert _cookies(headers=[(b"cookie", sent)]) == []


@pytest.mark.parametrize("value", ["", "anna", "../x", "a" * 44, "é" * 43])
def test_one_that_was_not_given_here_is_replaced(value: str) -> None:
    sent = f"{COOKIE}={value}".encode("latin-1")
    assert len(_cookies(headers=[(b"cookie", sent)])) == 1


def test_only_the_page_itself_brings_one() -> None:
    assert _cookies("/config") == []
    assert _cookies(method="POST") == []
    assert len(_cookies("/compare/", root_path="/compare")) == 1
    assert "Path=/compare;" in _cookies("/compare", root_path="/compare")[0]


def _request(session: str = "s", **cookies: str) -> Any:
    return SimpleNamespace(session_hash=session, cookies=cookies)


def test_one_browser_has_one_history_in_all_its_tabs() -> None:
    known = "a" * 43
    first, second = (browser_of(_request(tab, **{COOKIE: known})) for tab in ("one", "two"))
    assert first == second
    assert known not in first
    assert browser_of(_request("one", **{COOKIE: "b" * 43})) != first


def test_a_client_without_cookies_has_that_of_its_session() -> None:
    assert browser_of(_request("one")) == browser_of(_request("one"))
    assert browser_of(_request("one")) != browser_of(_request("two"))
    assert browser_of(SimpleNamespace(session_hash="one")) == browser_of(_request("one"))
    # Nobody's session can be had by sending it as a cookie.
    assert browser_of(_request("two", **{COOKIE: "one"})) == browser_of(_request("two"))


def test_who_is_nobody_has_no_history() -> None:
    with pytest.raises(gr.Error, match="names no session"):
        browser_of(SimpleNamespace())
