"""What the server says and refuses before Gradio sees a request."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse

from comparator.hosting.options import ServerOptions
from comparator.ui.browser_libraries import Libraries
from comparator.ui.browsers import Browsers
from comparator.ui.door import Door
from comparator.ui.headers import Message, Receive, Send
from comparator.ui.routes import MCP_ROUTES, ROUTES, Route

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
OWN_BODY_BYTES = 16_000_000  # the longest prompt that is taken, however its characters are written
MOST_HELD_BYTES = 64_000_000  # of all requests together
BODY_SECONDS = 30.0
TOO_LARGE = "The request has more than the {} bytes that this page takes. Shorten the prompt."
TOO_MANY = "The page is taking in too many large requests. Try again in a minute."
TOO_SLOW = "The request did not arrive within {:.0f} seconds. Try again."


class RefusedBody(Exception):
    """A request's body is too large, too slow, or one too many."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class BoundedBodies:
    """Reads each request's body up to a limit before Gradio, which has none, may see it.

    Args:
        app: what answers.
        most_bytes: of one request.
        most_held_bytes: of all whose body is read or being answered.
        seconds: until a body must have come.
    """

    def __init__(
        self,
        app: Any,
        most_bytes: int,
        most_held_bytes: int = MOST_HELD_BYTES,
        seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._most, self._most_held, self._seconds = most_bytes, most_held_bytes, seconds
        self._held = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on with the body that was read, or refuse it."""
        headers = dict(scope.get("headers", ()))
        if not (b"content-length" in headers or b"transfer-encoding" in headers):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            self._refuse_declared(headers.get(b"content-length", b""))
            if await self._read_in_time(receive, body):
                await self._app(scope, _again(bytes(body), receive), send)
        except RefusedBody as error:
            told = {"error": str(error), "detail": str(error)}
            # The rest of it is not read, so nothing else can come on this connection.
            answer = JSONResponse(told, error.status, {"connection": "close"})
            await answer(scope, receive, send)
        finally:
            self._held -= len(body)

    def _refuse_declared(self, length: bytes) -> None:
        if length.isdigit() and (len(length) > 18 or int(length) > self._most):
            raise RefusedBody(413, TOO_LARGE.format(self._most))

    async def _read_in_time(self, receive: Receive, body: bytearray) -> bool:
        try:
            return await asyncio.wait_for(self._read(receive, body), self._seconds)
        except TimeoutError:
            raise RefusedBody(408, TOO_SLOW.format(self._seconds)) from None

    async def _read(self, receive: Receive, body: bytearray) -> bool:
        """Read a body to its end; return False where the client is gone."""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return False
            part = message.get("body", b"")
            body += part
            self._held += len(part)
            if len(body) > self._most:
                raise RefusedBody(413, TOO_LARGE.format(self._most))
            if self._held > self._most_held:
                raise RefusedBody(503, TOO_MANY)
            if not message.get("more_body", False):
                return True


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what hands out a body that was read, and then what else comes."""
    unread = [body]

    async def receive_again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return receive_again


def door(options: ServerOptions, app: Any) -> Door:
    """Return the door of a page, before what answers behind it."""
    return Door(app, options.proxies, options.root_path or "", _routes(options))


def _routes(options: ServerOptions) -> tuple[Route, ...]:
    return (*ROUTES, *MCP_ROUTES) if options.mcp else ROUTES


def middleware(options: ServerOptions) -> list[Middleware]:
    """Return the layers, from the outermost.

    The door, our own scripts, on loopback the host's name, on a public page the cookie of the
    browser, and the bodies.
    """
    root_path, routes = options.root_path or "", _routes(options)
    layers = [
        Middleware(Door, proxies=options.proxies, root_path=root_path, routes=routes),
        Middleware(Libraries, root_path=root_path),
    ]
    if options.is_public:
        layers.append(Middleware(Browsers, root_path=root_path))
    else:
        hosts = [*LOOPBACK, *([options.server_name] if options.server_name else [])]
        layers.append(Middleware(TrustedHostMiddleware, allowed_hosts=hosts))
    most = options.limits.body_bytes if options.is_public else OWN_BODY_BYTES
    return [*layers, Middleware(BoundedBodies, most_bytes=most)]
