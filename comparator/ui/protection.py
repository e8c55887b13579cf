"""What the server says and refuses before Gradio sees a request."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse

from comparator.services.settings import Settings

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
# Gradio's own page needs inline scripts and compiles templates; nothing may come from, or be
# told to, another server, so that a model's text cannot make a browser fetch anything.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

# What Gradio serves and this page does not use: files in and out, other servers, monitoring,
# the history of runs, and editing the program from a browser.
UNUSED = (
    "upload", "upload_progress", "file", "proxy", "stream", "component_server", "custom_component",
    "process_recording", "vibe-edit", "undo-vibe-edit", "vibe-code", "vibe-starter-queries",
    "monitoring", "profiling", "runs", "run-history", "deep_link", "dev",
)  # fmt: skip

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class SafeHeaders:
    """Adds the headers that bind the browser; plain ASGI, so that streams stay streams."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class ClosedRoutes:
    """Answers 404 at every address of Gradio's that this page does not use."""

    def __init__(self, app: Any, root_path: str = "") -> None:
        self._app = app
        names = "|".join(re.escape(name) for name in UNUSED)
        prefix = re.escape(root_path.rstrip("/"))
        self._closed = re.compile(rf"^(?:{prefix})?/+(?:gradio_api/+)?(?:{names})(?:[=/]|$)")

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] in ("http", "websocket") and self._closed.match(scope["path"]):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def middleware(settings: Settings) -> list[Middleware]:
    """Return the layers: safe headers, closed routes, on loopback a check of the Host header."""
    layers = [
        Middleware(SafeHeaders),
        Middleware(ClosedRoutes, root_path=settings.root_path or ""),
    ]
    if not settings.is_public:
        hosts = [*LOOPBACK, *([settings.server_name] if settings.server_name else [])]
        layers.append(Middleware(TrustedHostMiddleware, allowed_hosts=hosts))
    return layers
