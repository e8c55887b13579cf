"""Strangers at a public page: every route, raw requests, floods, and what they cost."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from bounds import Bounds
from gradio.routes import App

from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.ui import adapter
from comparator.ui.page import build_page
from comparator.ui.routes import ROUTES
from tests.ui.conftest import Server, public_server, until

LIMITS = ("prompt_bytes=200", "tokens=20", "models=2", "visitor_per_minute=40", "all_per_minute=40")
ENDPOINTS = {
    *("compare", "models", "stop", "history", "show", "page_load", "page_refresh", "page_reset"),
    *("page_run", "page_retry", "page_stop", "page_stop_column", "page_choose", "page_advise"),
    *("page_advise_slot", "page_count", "page_fits", "page_fits_slot", "page_show_tokens"),
    *("page_ask_on", "page_edit_turn", "page_regenerate", "page_continue", "page_take_away"),
    *("library_open", "library_rescan", "library_look", "library_compare", "library_ladder"),
    *("history_list", "history_find", "history_more", "history_open", "history_pin"),
    *("history_remove", "history_rerun", "history_take_away"),
    *("suite_run", "suite_show", "evaluate_kept", "evaluate_read", "evaluate_history"),
    *("evaluate_remove", "evaluate_stop", "evaluate_cell", "evaluate_begin", "evaluate_resume"),
    *("evaluate_open", "evaluate_take_away", "evaluate_vote"),
    *("vote", "ratings", "page_vote", "page_show_names", "page_take_back"),
    *("ratings_look", "ratings_ask_pair", "ratings_export"),
}
TRAVERSALS = (
    "/etc/passwd",
    "../../../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e%252f%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "....//....//....//....//....//etc/passwd",
    "..%5c..%5c..%5c..%5cetc%5cpasswd",
    "file:///etc/passwd",
    "%2fetc%2fpasswd%00.js",
)


@pytest.fixture(scope="module")
def public(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``comparator serve --public`` with small limits."""
    with public_server(
        echo_models_dir, tmp_path_factory.mktemp("strangers") / "log.txt", LIMITS
    ) as server:
        yield server


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every route of the installed Gradio for this page, with its methods."""
    host = Host(ServerOptions(tmp_path_factory.mktemp("no models"), public=True))
    page = adapter.in_a_loop(lambda: build_page(host))
    found: dict[str, set[str]] = {}
    for path, methods in _walk(App.create_app(page).routes):
        found.setdefault(path, set()).update(methods)
    host.close()
    return found


def _walk(routes: Iterable[Any]) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield path and methods of each route, also of those that routers hold."""
    for route in routes:
        if hasattr(route, "path"):
            yield route.path, getattr(route, "methods", None) or ["GET"]
        yield from _walk(getattr(getattr(route, "original_router", route), "routes", None) or ())


def compare(server: Server, *data: Any, session: str = "raw") -> str:
    """Ask the endpoint the raw way and return everything that it said."""
    return call(server, "compare", list(data), session)


def call(server: Server, name: str, data: Any, session: Any = "raw", **more: Any) -> str:
    address = f"{server.url}gradio_api/call/{name}"
    body = {"data": data, "session_hash": session, **more}
    answer = httpx.post(address, json=body, timeout=60)
    if answer.status_code != 200:
        return answer.text
    event = answer.json()["event_id"]
    return httpx.get(f"{address}/{event}", timeout=60).text


def raw(server: Server, method: str, path: str) -> tuple[int, bytes]:
    """Send a path as it is: clients would resolve its dots."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read(100_000)
        except http.client.IncompleteRead as error:  # a stream of nothing, cut off
            return answer.status, error.partial
    finally:
        connection.close()


# ---- routes ----


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ALLOWED = {(route.path, method) for route in ROUTES for method in route.methods}


def asked_as(path: str) -> tuple[str, str]:
    """Return a path of a Gradio's table as it is asked, and as the door's list has it."""
    mine = path.replace("{path:path}", "{path}").replace("{session_hash}", "{session}")
    mine = mine.replace("{api_name}", "{name}").replace("{event_id}", "{event}")
    return re.sub(r"\{[^}]*\}", "x", path), mine


def test_each_route_and_method_of_the_installed_gradio_is_listed_or_refused(
    public: Server, routes: dict[str, set[str]]
) -> None:
    """Whatever a later Gradio serves: what is not on the list is answered by the door."""
    assert len(routes) > 50
    for path in routes:
        address, mine = asked_as(path)
        for method in METHODS:
            if (mine, method) in ALLOWED:
                continue
            code, text = raw(public, method, address)
            assert code in (404, 405), (method, path)
            if method != "HEAD":
                assert b"this page has no such address" in text or b"alone" in text, (method, path)


OURS = {("/comparator/{path}", "GET")}  # comparator/ui/browser_libraries.py answers it


def test_each_line_of_the_list_is_a_route_of_the_installed_gradio(
    routes: dict[str, set[str]],
) -> None:
    theirs = {(asked_as(path)[1], method) for path in routes for method in routes[path]}
    assert theirs | OURS >= ALLOWED


@pytest.mark.parametrize("attack", TRAVERSALS)
def test_no_route_hands_out_a_file_of_the_machine(
    public: Server, routes: dict[str, set[str]], attack: str
) -> None:
    """Each route with a part that the client chooses, file routes and others."""
    tried = [path for path in routes if "{" in path and "/heartbeat/" not in path]
    assert len(tried) >= 20
    for path in tried:
        address = re.sub(r"\{[^}]*\}", attack.replace("\\", r"\\"), path)
        for method in sorted(routes[path] & {"GET", "HEAD", "POST"}):
            status, body = raw(public, method, address)
            assert b"root:" not in body, address
            if "/call/" in path and status == 200:
                assert b"complete" not in body, address  # a stream of events, without any
                continue
            assert status in (307, 400, 403, 404, 405, 422, 500), (status, address)


def test_only_these_endpoints_are_there(public: Server) -> None:
    config = httpx.get(f"{public.url}config").json()
    events = [event for event in config["dependencies"] if event["backend_fn"]]
    assert {event["api_name"] for event in events} - {"leave", "leave_1"} == ENDPOINTS


@pytest.mark.parametrize(
    "name",
    [
        *("nothing", "page_install", "pull", "hub_search", "library_make", "library_quantise"),
        *("library_remove", "predict", "..%2f..", "a" * 5000),
    ],
)
def test_other_endpoints_are_unknown(public: Server, name: str) -> None:
    answer = httpx.post(f"{public.url}gradio_api/call/{name}", json={"data": []}, timeout=60)
    assert answer.status_code in (404, 405, 422, 500)
    assert "Traceback" not in answer.text
    for number in (-1, 10**6, "x"):
        joining = {"data": [], "fn_index": number, "session_hash": "raw"}
        answer = httpx.post(f"{public.url}gradio_api/queue/join", json=joining, timeout=60)
        assert answer.status_code in (400, 404, 422, 500)
        assert "Traceback" not in answer.text
    assert public.runs() == []


# ---- wrong and dangerous values ----


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"__class__": "x"}, "Unknown setting"),
        ({"model_path": "/etc/passwd"}, "Unknown setting"),
        ({"path": "/etc/passwd"}, "Unknown setting"),
        ({"trust_remote_code": True}, "trust_remote_code is refused"),
        ({"trust_remote_code": "yes"}, "trust_remote_code is refused"),
        ({"per_model": {"Quick": {"trust_remote_code": True}}}, "trust_remote_code is refused"),
        ({"n_threads": 64}, "n_threads cannot be changed"),
        ({"n_gpu_layers": -1}, "n_gpu_layers cannot be changed"),
        ({"use_gpu": False}, "use_gpu cannot be changed"),
        ({"torch_dtype": "float32"}, "torch_dtype cannot be changed"),
        ({"low_cpu_mem_usage": False}, "low_cpu_mem_usage cannot be changed"),
        ({"n_ctx": 10**6}, "n_ctx may be up to 4096"),
        ({"max_tokens": "600"}, "max_tokens must be"),
        ({"max_tokens": -1}, "max_tokens must be"),
        ({"max_tokens": [1]}, "max_tokens must be"),
        ({"system_prompt": "x" * 201}, "system prompt has 201 bytes"),
        ({"per_model": {"Quick": {"system_prompt": "x" * 201}}}, "system prompt has 201 bytes"),
        ({"stop": ["x" * 201]}, "stop must be"),
        ({"per_model": {"Endless": {}}}, "not among the models asked"),
        ({"together": 1}, "together must be true or false"),
        ([], "config must be an object"),
        ("max_tokens=1", "config must be an object"),
        ({"lora": ["/etc/passwd:0.5"]}, "No adapter '/etc/passwd'"),
        ({"lora": ["../Quick.echo.json"]}, "No adapter"),
    ],
)
def test_settings_that_are_none_of_a_visitors(public: Server, config: Any, words: str) -> None:
    assert words in compare(public, "hi", ["Quick"], "", config)
    assert public.runs() == []


FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "data",
    [
        *([], None, "hi", {"prompt": "hi"}, [1, 2, 3, 4], ["hi"], ["hi", None, None, None]),
        *(["hi", 7, "", {}], ["hi", [7], "", {}], ["hi", [["Quick"]], "", {}], [FILE] * 4),
        *(["hi", [FILE], "", {}], ["hi", FILE, "", {}], ["hi", ["Quick"], FILE, {}]),
        *(["hi", ["Quick"], "", FILE], ["hi", ["Quick"], "", {"stop": [FILE]}]),
        *(["hi", ["/etc/passwd"], "", {}], ["hi", ["file:///etc/passwd"], "", {}]),
        *(["hi", ["../models/Quick.echo.json"], "", {}], ["hi", ["org/name"], "", {}]),
        ["hi", ["Quick\x00"], "", {}],
    ],
)
def test_wrong_types_and_paths_are_refused(public: Server, data: Any) -> None:
    told = call(public, "compare", data)
    assert "root:" not in told
    assert "Traceback" not in told
    assert '"is_complete": true' not in told
    assert public.runs() == []


def test_a_model_by_the_absolute_path_of_its_own_file_is_unknown(
    public: Server, echo_models_dir: Path
) -> None:
    path = str(echo_models_dir / "Quick.echo.json")
    assert "No model" in compare(public, "hi", [path], "", {})


NONSENSE: tuple[tuple[Any, Any], ...] = (
    ([], None),
    ([FILE] * 40, {"slot": "../x"}),
    ([], {"slot": 10**9}),
    ([FILE] * 40, {"id": "/etc/passwd", "ids": ["/etc"]}),
)


@pytest.mark.parametrize("name", sorted(ENDPOINTS - {"models", "page_load", "library_open"}))
def test_each_endpoint_bears_nonsense(public: Server, name: str) -> None:
    for data, carried in NONSENSE:
        told = call(public, name, data, event_data=carried)
        assert "root:" not in told
        assert "Traceback" not in told
    assert public.runs() == []


def test_no_value_makes_the_server_ask_another_one(public: Server) -> None:
    asked: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{listener.server_address[1]}/secret"
        assert httpx.get(url).status_code == 404
        remote = {"path": url, "url": url, "meta": {"_type": "gradio.FileData"}}
        compare(public, "hi", [remote], "", {"x": remote})
        compare(public, remote, [url], remote, remote)
        raw(public, "GET", f"/gradio_api/proxy={url}")
        raw(public, "GET", f"/gradio_api/file={url}")
        listener.shutdown()
        thread.join()
    assert asked == ["/secret"]


# ---- other visitors ----


def test_who_does_not_know_a_session_cannot_touch_or_find_it(public: Server) -> None:
    api, secret = f"{public.url}gradio_api/", "a session nobody can guess"
    data = {"data": ["go", ["Loading"], "", {}], "session_hash": secret}
    event = httpx.post(f"{api}call/compare", json=data, timeout=60).json()["event_id"]
    (run,) = until(public.runs)
    for session in ("", None, "another", secret.upper(), secret + " "):
        told = call(public, "stop", [], session).lower()
        assert "true" not in told
        assert "false" in told or not session  # without a session Gradio takes nothing
    for session in ("another", secret[:-1]):
        for number in ("", "0", event[::-1]):
            body = {"session_hash": session, "fn_index": 0, "event_id": number}
            httpx.post(f"{api}cancel", json=body, timeout=60)
    for path in ("config", "gradio_api/info", "gradio_api/app_id"):
        text = httpx.get(f"{public.url}{path}", timeout=60).text
        assert secret not in text, path
        assert event not in text, path
    (same,) = public.runs()
    assert same.pid == run.pid
    assert "true" in call(public, "stop", [], secret).lower()
    until(lambda: not public.runs())


# ---- floods ----


HUGE_BYTES = 200_000_000


def resident_bytes(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


@pytest.mark.parametrize("path", ["call/compare", "queue/join", "run/stop", "cancel", "login"])
def test_a_huge_body_is_never_held(public: Server, bounds: Bounds, path: str) -> None:
    address = public.url + ("login" if path == "login" else f"gradio_api/{path}")
    before = resident_bytes(public)
    refused = httpx.post(address, content=b"[" * 1_000_001, timeout=60)
    assert refused.status_code == 413
    assert "1000000 bytes" in refused.json()["detail"]
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < HUGE_BYTES:
            sent += 100_000
            yield b" " * 100_000

    with contextlib.suppress(httpx.WriteError):  # where the server hangs up in the middle
        assert httpx.post(address, content=endless(), timeout=60).status_code == 413
    assert sent < HUGE_BYTES / 4, "the server hangs up long before the end"
    assert bounds.under(resident_bytes(public) - before, 20_000_000)


def test_a_body_of_brackets_is_refused(public: Server) -> None:
    headers = {"Content-Type": "application/json"}
    deep = b'{"data":' + b"[" * 400_000 + b"]" * 400_000 + b"}"
    answer = httpx.post(
        f"{public.url}gradio_api/call/compare", content=deep, headers=headers, timeout=60
    )
    assert answer.status_code in (400, 422, 500)
    assert '"is_complete": true' in compare(public, "hi", ["Quick"], "", {}, session="after it")


@pytest.fixture
def counted() -> Iterator[Callable[[Server], list[int]]]:
    """Count the model processes of a server all the time."""
    over, threads = threading.Event(), []

    def begin(server: Server) -> list[int]:
        counts: list[int] = []

        def count() -> None:
            while not over.wait(0.02):
                counts.append(len(server.runs()))

        threads.append(threading.Thread(target=count))
        threads[-1].start()
        return counts

    yield begin
    over.set()
    for thread in threads:
        thread.join()


def join(server: Server, count: int, name: str) -> set[int]:
    """Ask with a new session each time and never look at the answer; return the statuses."""
    statuses = set()
    with httpx.Client(timeout=60) as http_client:
        for number in range(count):
            joining = {"data": ["hi", ["Quick"], "", {}], "session_hash": f"{name} {number}"}
            answer = http_client.post(f"{server.url}gradio_api/call/compare", json=joining)
            statuses.add(answer.status_code)
    until(lambda: not server.runs())
    until(lambda: "Quick" in call(server, "models", []))  # its queue is empty again
    return statuses


@pytest.mark.slow
def test_a_thousand_joins_cost_one_model_and_bounded_memory(
    public: Server, counted: Callable[[Server], list[int]], bounds: Bounds
) -> None:
    counts, before = counted(public), resident_bytes(public)
    assert join(public, 550, "first") <= {200, 503}  # Gradio keeps 500 sessions
    full = resident_bytes(public)
    assert join(public, 450, "second") <= {200, 503}
    assert max(counts) == 1
    assert bounds.under(resident_bytes(public) - full, max(full - before, 20_000_000) / 2)
    names = json.dumps(call(public, "models", []))
    assert "Quick" in names
    assert "visitors together have begun" in compare(public, "hi", ["Quick"], "", {}, session="new")
