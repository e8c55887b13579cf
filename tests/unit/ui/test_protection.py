"""Which layers stand before the page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.middleware.trustedhost import TrustedHostMiddleware

from comparator.services.settings import Settings
from comparator.ui.protection import ClosedRoutes, middleware


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_SERVER_NAME", "SPACE_ID"):
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
    ],
)
def test_a_page_of_ones_own_and_a_public_one(values: dict[str, Any], is_public: bool) -> None:
    settings = Settings(Path("models"), **values)
    assert settings.is_public is is_public
    checked = [layer for layer in middleware(settings) if layer.cls is TrustedHostMiddleware]
    assert len(checked) == (0 if is_public else 1)
    if checked and settings.server_name:
        assert settings.server_name in checked[0].kwargs["allowed_hosts"]


@pytest.mark.parametrize("name", ["GRADIO_SERVER_NAME", "SPACE_ID"])
def test_the_environment_can_make_a_page_public(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0.0.0.0")
    assert Settings(Path("models")).is_public
    monkeypatch.setenv("GRADIO_SERVER_NAME", "127.0.0.1")
    assert Settings(Path("models")).is_public is (name == "SPACE_ID")


async def _status(path: str, root_path: str = "") -> int:
    """Return what an address answers behind the closed routes: 200 where it is passed on."""
    passed = {"status": 200}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            passed["status"] = message["status"]

    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    await ClosedRoutes(app, root_path)(scope, None, send)
    return passed["status"]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api/file=/etc/passwd",
        "/file=/etc/passwd",
        "//gradio_api//file=/etc/passwd",
        "/gradio_api/file/x",
        "/gradio_api/proxy=https://example.org",
        "/gradio_api/component_server",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/monitoring",
        "/monitoring/summary",
        "/gradio_api/vibe-edit/",
        "/run-history/records",
        "/compare/gradio_api/upload",
    ],
)
def test_what_the_page_does_not_use_is_closed(path: str) -> None:
    assert asyncio.run(_status(path, root_path="/compare/")) == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config",
        "/gradio_api/queue/join",
        "/gradio_api/queue/data",
        "/gradio_api/call/compare",
        "/gradio_api/heartbeat/abc",
        "/gradio_api/info",
        "/assets/file=1.js",
        "/static/upload",
        "/theme.css",
    ],
)
def test_what_the_page_uses_is_open(path: str) -> None:
    assert asyncio.run(_status(path)) == 200
