"""What the page's door lets through: every address, method and query, each with its reason.

What is not listed here does not reach Gradio, whatever a later version of it serves: neither a
stranger nor its owner needs more than this, so a page of one's own has the same list. A new
feature opens its address with a line here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

API = "/gradio_api"
# A private Space's proxy reads it and adds it to any address; Gradio has no use for it.
DROPPED_QUERIES = frozenset({"__sign"})
_PARTS = {
    "{name}": r"[A-Za-z0-9_-]{1,128}",
    "{session}": r"[^/]{1,256}",
    "{event}": r"[0-9a-f]{32}",  # nothing else, since other addresses begin in the same way
    # No segment of dots, nothing encoded twice, no backslash: a file of a folder, or below it.
    "{path}": r"(?!/)(?!.*\.\.)(?!.*//)[A-Za-z0-9_.@+~/-]{1,256}",
}
_PART = re.compile(r"(\{[a-z]+\})")


class Route(NamedTuple):
    """One address of the page.

    Attributes:
        path: as it is asked; what varies stands in braces.
        methods: of HTTP, in capitals.
        why: who needs it, and for what.
        queries: the query parameters that are passed on.
        drops_others: other parameters are left out instead of refused: people share links with
            parameters of other programs, and the page repeats its own in these requests.
    """

    path: str
    methods: tuple[str, ...]
    why: str
    queries: tuple[str, ...] = ()
    drops_others: bool = False


GET, POST = ("GET",), ("POST",)
ROUTES = (
    Route(
        "/",
        ("GET", "HEAD"),
        "the page; HEAD asks whether it is there: Gradio at its start, the tunnel of a public "
        "link, a Space's host",
        ("__theme",),
        drops_others=True,
    ),
    Route("/config", GET, "gradio_client: what endpoints there are"),
    Route("/assets/{path}", GET, "the page's scripts and styles"),
    Route("/static/{path}", GET, "the page's fonts, pictures and its script for a Space's frame"),
    Route("/theme.css", GET, "the page's colours", ("v",)),
    Route("/comparator/{path}", GET, "the libraries that draw answers"),
    Route("/favicon.ico", GET, "the picture in a browser's tab"),
    Route("/robots.txt", GET, "asks search engines to pass a public link by"),
    Route("/login", POST, "page and gradio_client, where --auth asks for it"),
    Route("/logout", GET, "leaves a log-in"),
    Route(f"{API}/info", GET, "gradio_client: what an endpoint takes and gives", ("serialize",)),
    Route(f"{API}/startup-events", GET, "Gradio asks it of itself when the page begins"),
    Route(f"{API}/app_id", GET, "the page: whether it is the same after a broken connection"),
    Route(f"{API}/heartbeat/{{session}}", GET, "tells that a tab is closed, which ends its run"),
    Route(f"{API}/queue/join", POST, "page and gradio_client: asks", (), drops_others=True),
    Route(
        f"{API}/queue/data",
        GET,
        "page and gradio_client: the answers as they come",
        ("session_hash",),
        drops_others=True,
    ),
    Route(f"{API}/run/{{name}}", POST, "the page: what is done at once", (), drops_others=True),
    Route(f"{API}/call/{{name}}", POST, "plain HTTP: asks an endpoint"),
    Route(f"{API}/call/{{name}}/{{event}}", GET, "plain HTTP: the answers as they come"),
    Route(f"{API}/cancel", POST, "gradio_client: ends a job of its session"),
    Route(f"{API}/reset", POST, "gradio_client: ends its session"),
)

# Open only where the page was told to be tools as well: ``comparator serve --mcp``.
MCP_ROUTES = (
    Route(f"{API}/mcp", ("GET", "POST", "DELETE"), "MCP clients: the tools, and their answers"),
    Route(f"{API}/mcp/", ("GET", "POST", "DELETE"), "the same, as Gradio writes it"),
)


class Table:
    """Routes, ready to be looked up.

    Args:
        routes: what is let through.
        root_path: the path under which a proxy shows the page; requests may come with it.
    """

    def __init__(self, routes: Iterable[Route] = ROUTES, root_path: str = "") -> None:
        self._routes = [(re.compile(_pattern(route.path)), route) for route in routes]
        self._prefix = root_path.rstrip("/") if root_path.startswith("/") else ""

    def find(self, path: str) -> Route | None:
        """Return the route of a path as it came, decoded once; None where there is none."""
        if self._prefix and (path + "/").startswith(self._prefix + "/"):
            path = path[len(self._prefix) :] or "/"
        return next((route for match, route in self._routes if match.fullmatch(path)), None)


def _pattern(path: str) -> str:
    return "".join(_PARTS.get(part) or re.escape(part) for part in _PART.split(path))
