"""The browser's libraries that come with the page."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from typing import Any

import pytest

from comparator.ui import browser_libraries

RECORD = json.loads((browser_libraries.VENDOR / "versions.json").read_text("utf-8"))


def test_every_file_is_as_its_makers_built_it_and_has_its_licence() -> None:
    assert sorted(entry["file"] for entry in RECORD.values()) == sorted(browser_libraries.FILES)
    for entry in RECORD.values():
        code = (browser_libraries.VENDOR / entry["file"]).read_bytes()
        assert hashlib.sha256(code).hexdigest() == entry["sha256"]
        licence, _end, _rest = code.partition(b"*/")
        assert licence.startswith(b"/*!")
        assert entry["version"].encode() in licence
        assert b"opyright" in licence


def _asked(
    path: str, root_path: str = "", method: str = "GET", **headers: str
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, headers and body of what an address answers; 204 where it is passed on."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(browser_libraries.Libraries(app, root_path)(scope, None, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


@pytest.mark.parametrize("root_path", ["", "/compare", "/compare/"])
def test_the_script_holds_all_of_them_and_may_be_kept(root_path: str) -> None:
    status, headers, body = _asked(root_path.rstrip("/") + browser_libraries.address(), root_path)
    assert status == 200
    assert headers[b"content-type"].startswith(b"text/javascript")
    assert b"immutable" in headers[b"cache-control"]
    for name in browser_libraries.FILES:
        assert (browser_libraries.VENDOR / name).read_bytes() in body


def test_the_script_is_compressed_for_who_takes_it() -> None:
    _status, headers, body = _asked(browser_libraries.address(), accept_encoding="br, gzip")
    assert headers[b"content-encoding"] == b"gzip"
    assert gzip.decompress(body) == browser_libraries.script()


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/", "GET"),
        ("/comparator/libraries-0000000000000000.js", "GET"),
        ("/comparator/../static/vendor/versions.json", "GET"),
        (browser_libraries.address() + "/..", "GET"),
        (browser_libraries.address(), "POST"),
    ],
)
def test_everything_else_is_passed_on(path: str, method: str) -> None:
    assert _asked(path, method=method)[0] == 204
