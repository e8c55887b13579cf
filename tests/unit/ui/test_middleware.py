"""Which layers stand before the page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.middleware.trustedhost import TrustedHostMiddleware

from comparator.hosting.options import ServerOptions
from comparator.ui.browsers import Browsers
from comparator.ui.door import NOT_OFFERED
from comparator.ui.middleware import (
    OWN_BODY_BYTES,
    BoundedBodies,
    door,
    middleware,
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_SERVER_NAME", "GRADIO_ROOT_PATH", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("values", "is_public"),
    [
        ({}, False),
        ({"server_name": "localhost"}, False),
        ({"server_name": "127.0.0.1"}, False),
        ({"server_name": "127.0.1.1"}, False),
        ({"server_name": "::1"}, False),
        ({"server_name": "[::1]"}, False),
        ({"server_name": "0.0.0.0"}, True),
        ({"server_name": "::"}, True),
        ({"server_name": "192.168.1.5"}, True),
        ({"server_name": "my-machine"}, True),
        ({"share": True}, True),
        ({"share": True, "auth": (("anna", "secret"),)}, True),
        ({"root_path": "/compare"}, True),
        ({"trusted_proxies": ("10.0.0.1",)}, True),
    ],
)
def test_a_page_of_ones_own_and_a_public_one(values: dict[str, Any], is_public: bool) -> None:
    settings = ServerOptions(Path("models"), **values)
    assert settings.is_public is is_public
    layers = middleware(settings)
    checked = [layer for layer in layers if layer.cls is TrustedHostMiddleware]
    assert len(checked) == (0 if is_public else 1)
    # Whoever shares a page with others is known again by a cookie, and its owner needs none.
    assert (Browsers in [layer.cls for layer in layers]) is is_public
    if checked and settings.server_name:
        assert settings.server_name in checked[0].kwargs["allowed_hosts"]


@pytest.mark.parametrize("name", ["GRADIO_SERVER_NAME", "GRADIO_ROOT_PATH", "SPACE_ID"])
def test_the_environment_can_make_a_page_public(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0.0.0.0")
    assert ServerOptions(Path("models")).is_public
    monkeypatch.setenv("GRADIO_SERVER_NAME", "127.0.0.1")
    assert ServerOptions(Path("models")).is_public is (name != "GRADIO_SERVER_NAME")


Part = dict[str, Any]


def parts(*bodies: bytes, ends: bool = True) -> list[Part]:
    """Return the messages of a body in these parts."""
    last = len(bodies) - 1
    return [
        {"type": "http.request", "body": body, "more_body": number < last or not ends}
        for number, body in enumerate(bodies)
    ]


class Answering:
    """An application that reads a request's whole body and answers 200."""

    def __init__(self, *, waits: bool = False) -> None:
        self.bodies: list[bytes] = []
        self.may_answer = asyncio.Event()
        if not waits:
            self.may_answer.set()

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def status_of(bounded: Any, messages: list[Part], length: int | None = None) -> int | None:
    """Send a body to bounded bodies and return the answer's status, None where there is none."""
    seen: list[int] = []
    left = list(messages)

    async def receive() -> Part:
        if not left:
            await asyncio.sleep(60)  # as long as a slow client likes
        return left.pop(0)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    how = (
        (b"content-length", str(length).encode()) if length else (b"transfer-encoding", b"chunked")
    )
    await bounded({"type": "http", "method": "POST", "path": "/", "headers": [how]}, receive, send)
    return seen[0] if seen else None


@pytest.mark.parametrize(
    ("messages", "length", "status"),
    [
        (parts(b"1234", b"56", b""), 6, 200),
        (parts(b"1234", b"567890"), None, 200),
        (parts(b"1234", b"5678901"), None, 413),
        (parts(b"1", b"2" * 100, ends=False), None, 413),
        ([], 11, 413),
        ([], 10**30, 413),
        ([*parts(b"12", ends=False), {"type": "http.disconnect"}], None, None),
        (parts(b"12", ends=False), None, 408),
    ],
)
def test_a_body_is_read_up_to_a_limit(
    messages: list[Part], length: int | None, status: int | None
) -> None:
    app = Answering()
    bounded = BoundedBodies(app, most_bytes=10, seconds=0.2)
    assert asyncio.run(status_of(bounded, messages, length)) == status
    whole = b"".join(message.get("body", b"") for message in messages)
    assert app.bodies == ([whole] if status == 200 else [])
    assert bounded._held == 0


def test_all_bodies_together_are_bounded() -> None:
    async def three_at_once() -> list[int | None]:
        app = Answering(waits=True)
        bounded = BoundedBodies(app, most_bytes=10, most_held_bytes=15)
        first = asyncio.create_task(status_of(bounded, parts(b"1" * 10)))
        await asyncio.sleep(0.01)
        second = await status_of(bounded, parts(b"2" * 10))
        app.may_answer.set()
        return [await first, second, await status_of(bounded, parts(b"3" * 10))]

    assert asyncio.run(three_at_once()) == [200, 503, 200]


@pytest.mark.parametrize(("is_public", "most"), [(False, OWN_BODY_BYTES), (True, 1_000_000)])
def test_a_public_page_takes_smaller_bodies(is_public: bool, most: int) -> None:
    layer = middleware(ServerOptions(Path("models"), public=is_public))[-1]
    assert layer.cls is BoundedBodies
    assert layer.kwargs == {"most_bytes": most}


@pytest.mark.parametrize("mcp", [False, True])
def test_the_tools_have_an_address_only_where_they_were_asked_for(mcp: bool) -> None:
    sent: list[Any] = []

    async def page(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"tools"})

    async def ask() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/gradio_api/mcp/", "headers": []}
        await door(ServerOptions(Path("models"), mcp=mcp), page)(scope, None, send)

    asyncio.run(ask())
    assert sent[0]["status"] == (200 if mcp else 404)
    assert sent[1]["body"] == (b"tools" if mcp else NOT_OFFERED.encode())
