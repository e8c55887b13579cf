"""A cookie by which a public page knows a browser again, so that its history is its own."""

from __future__ import annotations

import re
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any

from comparator.ui.headers import Message, Receive, Send

COOKIE = "comparator_browser"
_SECONDS = 90 * 86_400
# A cache in front of the page that kept this answer would make one browser of all its visitors.
_OF_ONE_BROWSER = (b"cache-control", b"private, no-store")
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes


def is_browser(value: str) -> bool:
    """Whether a cookie's value is one of those given here."""
    return _VALUE.fullmatch(value) is not None


class Browsers:
    """Gives the cookie to a browser that opens the page without one.

    Over https the page may stand in another site's frame, as on a Space: there a cookie comes
    back only with ``SameSite=None``, and ``Partitioned`` where browsers keep a jar for each site.

    Args:
        app: what answers.
        root_path: the path under which a proxy shows the page.
    """

    def __init__(self, app: Any, root_path: str = "") -> None:
        self._app = app
        self._path = root_path if root_path.startswith("/") else "/"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on; the page itself comes with a cookie where none was sent."""
        if scope["type"] != "http" or not self._is_page(scope) or _has_cookie(scope):
            await self._app(scope, receive, send)
            return
        cookie = self._cookie(scope.get("scheme") == "https")

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = (b"set-cookie", cookie.encode("latin-1")), _OF_ONE_BROWSER
                headers = [*message.get("headers", ()), *given]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _is_page(self, scope: Message) -> bool:
        own = self._path.rstrip("/")
        return scope["method"] == "GET" and scope["path"] in ("/", own, f"{own}/")

    def _cookie(self, is_safe: bool) -> str:
        given = f"{COOKIE}={secrets.token_urlsafe(32)}; Path={self._path}; Max-Age={_SECONDS}"
        same_site = "SameSite=None; Secure; Partitioned" if is_safe else "SameSite=Lax"
        return f"{given}; HttpOnly; {same_site}"


def _has_cookie(scope: Message) -> bool:
    for name, value in scope.get("headers", ()):
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if found is not None and is_browser(found.value):
                return True
    return False
