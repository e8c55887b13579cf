"""The browser's libraries that come with the page, served from here and from nowhere else.

They are files of their makers (``static/vendor``, renewed by ``scripts/vendor``), each under its
licence, and go out as one script under an address that changes with its content, so that a browser
fetches it once.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from starlette.responses import Response

VENDOR = Path(__file__).parent / "static" / "vendor"
FILES = (
    *("markdown-it.min.js", "purify.min.js", "highlight.min.js", "katex.min.js"),
    "diff.min.js",
)
HEADERS = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}


@functools.cache
def script() -> bytes:
    """Return all libraries as one script."""
    return b";\n".join((VENDOR / name).read_bytes() for name in FILES)


@functools.cache
def address() -> str:
    """Return where the page finds the script, below its own root."""
    return f"/comparator/libraries-{hashlib.sha256(script()).hexdigest()[:16]}.js"


@functools.cache
def _compressed() -> bytes:
    return gzip.compress(script(), mtime=0)


class Libraries:
    """Answers requests for the script; plain ASGI, before Gradio sees the request."""

    def __init__(self, app: Any, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path.rstrip("/")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer, or pass the request on."""
        if not self._is_meant(scope):
            await self._app(scope, receive, send)
            return
        wanted = dict(scope["headers"]).get(b"accept-encoding", b"")
        if b"gzip" in wanted:
            answer = Response(_compressed(), headers={**HEADERS, "content-encoding": "gzip"})
        else:
            answer = Response(script(), headers=HEADERS)
        answer.headers["content-type"] = "text/javascript; charset=utf-8"
        await answer(scope, receive, send)

    def _is_meant(self, scope: MutableMapping[str, Any]) -> bool:
        if scope["type"] != "http" or scope["method"] != "GET":
            return False
        path: str = scope["path"]
        return path in (address(), self._root_path + address())
