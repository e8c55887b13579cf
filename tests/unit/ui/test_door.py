"""The list of what the page's door lets through, and whose word on a visitor is taken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from comparator.hosting.proxies import trusted_proxies
from comparator.ui.door import NOT_OFFERED, AllowedRoutes, Door
from comparator.ui.routes import ROUTES, Route

EVENT = "0a" * 16
Headers = list[tuple[bytes, bytes]]


class Behind:
    """What stands behind the door: it remembers the requests that reach it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})


def ask(
    app: Any, method: str, path: str, query: str = "", headers: Headers | None = None,
    client: str = "127.0.0.1", kind: str = "http",
) -> list[Any]:  # fmt: skip
    """Send a request and return the messages of its answer."""
    answer: list[Any] = []

    async def send(message: Any) -> None:
        answer.append(message)

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": headers or [],
        "client": (client, 1234),
        "scheme": "http",
    }
    asyncio.run(app(scope, None, send))
    return answer


def status(method: str, target: str, root_path: str = "") -> int:
    path, _, query = target.partition("?")
    behind = Behind()
    code = int(ask(AllowedRoutes(behind, root_path=root_path), method, path, query)[0]["status"])
    assert bool(behind.seen) is (code == 200)
    return code


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/?__theme=dark"),
        ("GET", "/?__sign=x&utm_source=a%20letter"),
        ("GET", "/config"),
        ("GET", "/assets/index-D_4.js"),
        ("GET", "/assets/a/b~c+d@2.woff2"),
        ("GET", "/static/fonts/x/y-Regular.woff2"),
        ("GET", "/theme.css?v=abc"),
        ("POST", "/login"),
        ("GET", "/gradio_api/info?serialize=False"),
        ("POST", "/gradio_api/queue/join?__theme=dark"),
        ("GET", "/gradio_api/queue/data?session_hash=abc&__theme=dark&__sign=x"),
        ("GET", "/gradio_api/heartbeat/a-b c"),
        ("POST", "/gradio_api/run/predict"),
        ("POST", "/gradio_api/call/compare"),
        ("GET", f"/gradio_api/call/compare/{EVENT}"),
        ("POST", "/gradio_api/cancel"),
    ],
)
def test_what_the_page_needs_is_let_through(method: str, target: str) -> None:
    assert status(method, target) == 200


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("POST", "/gradio_api/upload", 404),
        ("GET", "/gradio_api/file=/etc/passwd", 404),
        ("GET", "/file=/etc/passwd", 404),
        ("GET", "//config", 404),
        ("GET", "/config/", 404),
        ("GET", "/Config", 404),
        ("GET", "/gradio_api/proxy=https://example.org", 404),
        ("GET", "/gradio_api/mcp/", 404),
        ("POST", "/gradio_api/mcp/http/", 404),
        ("GET", "/gradio_api/mcp/schema", 404),
        ("GET", "/monitoring", 404),
        ("GET", "/gradio_api/deep_link", 404),
        ("POST", "/gradio_api/vibe-edit/", 404),
        ("GET", "/login/huggingface", 404),
        ("GET", "/assets/../../etc/passwd", 404),
        ("GET", "/assets//etc/passwd", 404),
        ("GET", "/static/a\\b", 404),
        ("GET", "/assets/a%2fb", 404),
        ("GET", "/assets/a\n.js", 404),
        ("GET", "/config\n", 404),
        ("POST", f"/gradio_api/call/compare/{EVENT}", 405),
        ("GET", "/gradio_api/call/compare", 405),
        ("GET", "/gradio_api/call/v2/compare", 404),
        ("POST", "/gradio_api/call/v2/compare", 404),
        ("PUT", "/", 405),
        ("OPTIONS", "/", 405),
        ("OPTIONS", "/gradio_api/queue/join", 405),
        ("HEAD", "/config", 405),
        ("TRACE", "/config", 405),
        ("get", "/", 405),
        ("GET", "/gradio_api/info?all_endpoints=True", 400),
        ("GET", "/config?deep_link=x", 400),
        ("GET", "/config?a", 400),
        ("GET", "/logout?all_session=false", 400),
        ("GET", "/gradio_api/heartbeat/x?anything=1", 400),
    ],
)
def test_everything_else_is_refused(method: str, target: str, code: int) -> None:
    assert status(method, target) == code


def test_a_refusal_is_a_short_text_and_names_the_method() -> None:
    door = AllowedRoutes(Behind())
    head, body = ask(door, "GET", "/new")
    assert (head["status"], body["body"].decode()) == (404, NOT_OFFERED)
    head, body = ask(door, "DELETE", "/")
    assert (b"allow", b"GET, HEAD") in head["headers"]
    assert b"GET, HEAD alone" in body["body"]


@pytest.mark.parametrize(
    ("target", "reaches"),
    [
        ("/?__theme=dark&deep_link=x&__sign=y&view=api", b"__theme=dark"),
        ("/?deep%5Flink=x", b""),
        ("/?__theme=a&__theme=b", b"__theme=a&__theme=b"),
        ("/gradio_api/queue/data?__sign=t&session_hash=a%26b", b"session_hash=a%26b"),
        ("/gradio_api/info?serialize=False&__sign=t", b"serialize=False"),
    ],
)
def test_parameters_that_are_not_listed_do_not_reach_gradio(target: str, reaches: bytes) -> None:
    behind = Behind()
    path, _, query = target.partition("?")
    ask(AllowedRoutes(behind), "GET", path, query)
    assert [scope["query_string"] for scope in behind.seen] == [reaches]


def test_a_page_under_a_path_answers_with_it_and_without() -> None:
    for target in ("/compare", "/compare/", "/compare/config", "/config"):
        assert status("GET", target, root_path="/compare/") == 200
    for target in ("/compared", "/compare/gradio_api/upload", "/compare/compare/config"):
        assert status("GET", target, root_path="/compare/") == 404


def test_a_line_opens_a_feature() -> None:
    behind = Behind()
    line = Route("/gradio_api/mcp/{path}", ("GET", "POST"), "MCP clients")
    ask(AllowedRoutes(behind, (*ROUTES, line)), "POST", "/gradio_api/mcp/http/")
    assert len(behind.seen) == 1


def test_there_are_no_websockets() -> None:
    behind = Behind()
    answer = ask(AllowedRoutes(behind), "GET", "/gradio_api/queue/join", kind="websocket")
    assert [message["type"] for message in answer] == ["websocket.close"]
    assert behind.seen == []


def test_every_route_says_why() -> None:
    assert all(len(route.why) > 10 for route in ROUTES)
    assert len({route.path for route in ROUTES}) == len(ROUTES)


# ---- who asks ----

FORGED = [
    (b"host", b"page"),
    (b"x-forwarded-for", b"6.6.6.6"),
    (b"x-forwarded-host", b"evil.example"),
    (b"x-forwarded-proto", b"https"),
    (b"forwarded", b"for=6.6.6.6"),
]


def seen_by(addresses: tuple[str, ...], client: str, headers: Headers = FORGED) -> Any:
    proxies = trusted_proxies(addresses, on_a_space=False, share=False, root_path=False)
    behind = Behind()
    ask(Door(behind, proxies), "GET", "/", headers=headers, client=client)
    return behind.seen[0]


@pytest.mark.parametrize("client", ["127.0.0.1", "203.0.113.9", "10.0.0.2"])
def test_nobody_is_believed_who_was_not_named(client: str) -> None:
    scope = seen_by(("10.0.0.1",), client)
    assert scope["client"] == (client, 1234)
    assert scope["headers"] == [(b"host", b"page")]
    assert scope["scheme"] == "http"


def test_a_proxy_that_was_named_speaks_for_a_visitor() -> None:
    scope = seen_by(("10.0.0.0/24",), "10.0.0.1")
    assert scope["client"] == ("6.6.6.6", 0)
    assert scope["scheme"] == "https"
    assert dict(scope["headers"])[b"x-forwarded-host"] == b"evil.example"


def test_what_several_headers_say_is_read_together_from_the_end() -> None:
    headers = [(b"x-forwarded-for", b"6.6.6.6, 8.8.8.8"), (b"x-forwarded-for", b"10.0.0.7")]
    assert seen_by(("10.0.0.0/24",), "10.0.0.1", headers)["client"] == ("8.8.8.8", 0)


def test_a_request_passes_the_door_once_and_each_answer_has_its_headers() -> None:
    proxies = trusted_proxies(("10.0.0.1",), on_a_space=False, share=False, root_path=False)
    behind = Behind()
    twice = Door(Door(behind, proxies), proxies)
    (start,) = ask(twice, "GET", "/", headers=FORGED, client="10.0.0.1")
    assert behind.seen[0]["client"] == ("6.6.6.6", 0)
    names = [name for name, _value in start["headers"]]
    assert names.count(b"content-security-policy") == 1
    refused = ask(twice, "GET", "/new")[0]
    assert b"content-security-policy" in dict(refused["headers"])
