"""The door before Gradio: the list of routes, and who a proxy may speak for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from starlette.responses import PlainTextResponse, Response

from comparator.hosting.proxies import TrustedProxies
from comparator.ui.headers import Message, SafeHeaders, Send
from comparator.ui.routes import DROPPED_QUERIES, ROUTES, Route, Table

NOT_OFFERED = "Not found: this page has no such address.\n"
OTHER_METHOD = "Not allowed: this address of the page takes {} alone.\n"
OTHER_QUERY = "Not understood: this address of the page takes no such parameter.\n"
_PASSED = "comparator.door"  # in a request's scope: the door has seen it already


class AllowedRoutes:
    """Passes on what the table of routes lists, and answers everything else itself."""

    def __init__(self, app: Any, routes: Iterable[Route] = ROUTES, root_path: str = "") -> None:
        self._app = app
        self._table = Table(routes, root_path)

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Pass a request on, without parameters that are not listed, or refuse it."""
        if scope["type"] == "websocket":  # this page has none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            route = self._table.find(scope["path"])
            query = _kept(scope.get("query_string", b""), route)
            refusal = _refusal(scope["method"], route, query)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            scope = {**scope, "query_string": query}
        await self._app(scope, receive, send)


def _refusal(method: str, route: Route | None, query: bytes | None) -> Response | None:
    if route is None:
        return PlainTextResponse(NOT_OFFERED, 404)
    if method not in route.methods:
        methods = ", ".join(route.methods)
        return PlainTextResponse(OTHER_METHOD.format(methods), 405, {"allow": methods})
    return PlainTextResponse(OTHER_QUERY, 400) if query is None else None


def _kept(query: bytes, route: Route | None) -> bytes | None:
    """Return a query without what is dropped; None where a parameter is to be refused."""
    if route is None or not query:
        return query
    kept = []
    for part in query.split(b"&"):
        name = unquote_plus(part.partition(b"=")[0].decode("latin-1"))
        if name in route.queries:
            kept.append(part)
        elif part and not route.drops_others and name not in DROPPED_QUERIES:
            return None
    return b"&".join(kept)


class ForwardedHeaders:
    """Believes what a proxy says of a visitor where that proxy is trusted, and nobody else.

    From others those headers are taken away, since Gradio itself reads some of them.
    """

    def __init__(self, app: Any, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Pass a request on with its visitor's address, or without such headers."""
        if scope["type"] == "http":
            peer = (scope.get("client") or ("", 0))[0]
            trusted = self._proxies.trusts(peer)
            scope = self._believed(scope) if trusted else _without_forwarded(scope)
        await self._app(scope, receive, send)

    def _believed(self, scope: Message) -> Message:
        said = _joined(scope, b"x-forwarded-for")
        address = self._proxies.visitor(said)
        scheme = _joined(scope, b"x-forwarded-proto").split(",")[0].strip()
        return {
            **scope,
            "client": (address, 0) if address else scope.get("client"),
            "scheme": scheme if scheme in ("http", "https") else scope.get("scheme", "http"),
        }


def _joined(scope: Message, name: bytes) -> str:
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _without_forwarded(scope: Message) -> Message:
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name != b"forwarded" and not name.startswith(b"x-forwarded-")
    ]
    return {**scope, "headers": kept}


class Door:
    """The headers, the proxies and the routes as one layer, which a request passes once.

    It stands among Gradio's layers, where Gradio lets one stand, and before all of them, as far
    as its insides allow (``adapter.stand_before``): those answer some requests themselves.
    """

    def __init__(
        self,
        app: Any,
        proxies: TrustedProxies,
        root_path: str = "",
        routes: Iterable[Route] = ROUTES,
    ) -> None:
        self._app = app
        allowed = AllowedRoutes(app, routes, root_path)
        self._guarded = SafeHeaders(ForwardedHeaders(allowed, proxies))

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or scope.get(_PASSED):
            await self._app(scope, receive, send)
        else:
            await self._guarded({**scope, _PASSED: True}, receive, send)
