"""The door of a page that really runs: its surroundings, forged headers, and what is new."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from gradio_client import Client
from playwright.sync_api import Browser, Page

from tests.ui.conftest import (
    PATIENCE_SECONDS,
    Server,
    ask,
    reply,
    start_server,
    until,
    wait_for_state,
)

# What starts processes, opens doors or changes programs, as far as Gradio 6 knows it, and more.
SURROUNDINGS = {
    "GRADIO_NUM_WORKERS": "2",
    "GRADIO_SSR_MODE": "True",
    "GRADIO_NODE_SERVER_PORT": "9999",
    "GRADIO_SHARE": "True",
    "GRADIO_MCP_SERVER": "True",
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_DEBUG": "1",
    "GRADIO_NUM_PORTS": "many",
    "GRADIO_HOT_RELOAD": "true",
    "GRADIO_WATCH_DIRS": "/tmp",
    "GRADIO_VIBE_MODE": "1",
    "GRADIO_PROFILING": "1",
    "GRADIO_RUN_HISTORY": "True",
    "GRADIO_ANALYTICS_ENABLED": "True",
    "GRADIO_DEFAULT_CONCURRENCY_LIMIT": "no number",
    "GRADIO_TOMORROW": "1",
    "WEB_CONCURRENCY": "3",
    "FORWARDED_ALLOW_IPS": "*",
}
# A page with a route of Gradio's that nobody has thought of, asked through the door and past it.
TOMORROW = """
import http.client, json, sys
from pathlib import Path
from urllib.parse import urlsplit
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.ui import adapter
from comparator.ui.page import build_page
from comparator.ui.server import launch

def asked(address, method, path, **headers):
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return [answer.status, answer.read().decode(), sorted(name for name, _ in answer.getheaders())]

host = Host(ServerOptions(Path(sys.argv[1]), sources=()))
page = adapter.in_a_loop(lambda: build_page(host))
address = adapter.in_a_loop(lambda: launch(page, host.options))
for path in ("/gradio_api/tomorrow", "/tomorrow/{rest:path}"):
    page.app.add_api_route(path, lambda: "opened", methods=["GET", "POST", "OPTIONS"])
found = {
    f"{method} {path}": asked(address, method, path)
    for path in ("/gradio_api/tomorrow", "/tomorrow/x") for method in ("GET", "POST", "OPTIONS")
}
preflight = {"Origin": "http://other.example", "Access-Control-Request-Method": "POST"}
found["preflight"] = asked(address, "OPTIONS", "/gradio_api/queue/join", **preflight)
page.app.middleware_stack = page.app.build_middleware_stack()  # without the first door
found["behind Gradio's layers"] = asked(address, "GET", "/gradio_api/tomorrow")
page.app.user_middleware = []
page.app.middleware_stack = page.app.build_middleware_stack()  # without any
found["no door"] = asked(address, "GET", "/gradio_api/tomorrow")
print(json.dumps(found))
adapter.close(page)
host.close()
"""


def test_a_route_of_tomorrow_is_closed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TOMORROW, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("no door")[:2] == [200, '"opened"']
    code, _text, headers = found.pop("preflight")
    assert code == 405
    assert "access-control-allow-origin" not in headers
    assert len(found) == 7
    for what, (code, text, headers) in found.items():
        assert (code, text) == (404, "Not found: this page has no such address.\n"), what
        assert "content-security-policy" in headers


@pytest.fixture(scope="module")
def surrounded(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page of this machine whose environment says everything that Gradio would follow."""
    log = tmp_path_factory.mktemp("surrounded") / "log.txt"
    server = start_server(echo_models_dir, log, **SURROUNDINGS)
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143
    assert "Traceback" not in log.read_text()


def test_no_process_is_started_but_our_own(surrounded: Server) -> None:
    client = Client(surrounded.url, verbose=False)
    client.predict("hi", ["Quick"], "", {}, api_name="/compare")  # it starts a fork server
    client.close()
    assert psutil.Process(surrounded.process.pid).children()
    for child in psutil.Process(surrounded.process.pid).children(recursive=True):
        # A fork server imports no more than its engine: neither Gradio nor a server.
        assert child.name().startswith("python"), child.cmdline()
        maps = {Path(one.path).name for one in child.memory_maps()}
        assert not any(name.startswith("_pydantic_core") for name in maps), child.cmdline()
        assert child.net_connections("inet") == []
    listening = [
        one.laddr.port
        for one in psutil.Process(surrounded.process.pid).net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    ]
    assert listening == [urlsplit(surrounded.url).port]


def test_nothing_is_opened_and_what_is_not_followed_is_said(surrounded: Server) -> None:
    config = httpx.get(f"{surrounded.url}config").json()
    assert not config.get("mcp_server")
    assert not config.get("run_history")
    assert not config.get("dev_mode")
    assert not config.get("vibe_mode")
    for path in ("gradio_api/file=/etc/hostname", "gradio_api/mcp/", "gradio_api/vibe-code/"):
        assert httpx.get(f"{surrounded.url}{path}").status_code == 404
    told = surrounded.log.read_text()
    line = re.search(r"Not followed by this page: (.*)\. What can be set", told)
    assert line is not None, told
    assert set(line[1].split(", ")) >= set(SURROUNDINGS)
    assert "public link" not in told.lower()


def test_it_answers_all_the_same(surrounded: Server) -> None:
    client = Client(surrounded.url, verbose=False)
    [record] = client.predict("hi there", ["Quick"], "", {}, api_name="/compare")
    assert record["content"] == "hi there"
    client.close()


# ---- proxies ----

LIMITS = ("--public-limit", "visitor_per_minute=2", "--public-limit", "all_per_minute=1000")


def served(models_dir: Path, log: Path, *flags: str, **environment: str) -> Server:
    return start_server(
        models_dir, log, ("-m", "comparator", "serve", "--public", *LIMITS, *flags), **environment
    )


@pytest.fixture(scope="module")
def direct(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A public page that no proxy was named to, listening on all addresses."""
    log = tmp_path_factory.mktemp("direct") / "log.txt"
    server = served(echo_models_dir, log, "--server-name", "0.0.0.0", FORWARDED_ALLOW_IPS="*")
    yield server
    assert server.end() == 143


def outside_address() -> str:
    """Return an address of this machine that is not its own loopback's."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family.name == "AF_INET" and not one.address.startswith("127."):
                return str(one.address)
    pytest.skip("this machine has no address but its loopback's")


def begin(url: str, session: str, **headers: str) -> str:
    """Ask for a comparison and return everything that was said of it."""
    api = f"{url}gradio_api/call/compare"
    body = {"data": ["hi there", ["Quick"], "", {}], "session_hash": session}
    answer = httpx.post(api, json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return httpx.get(f"{api}/{answer.json()['event_id']}", headers=headers, timeout=60).text


def test_rates_cannot_be_forged(direct: Server) -> None:
    url = direct.url.replace("127.0.0.1", outside_address())
    told = []
    for number in range(4):
        address = f"8.8.{number}.1"
        headers = {
            "X-Forwarded-For": address,
            "X-Real-IP": address,
            "Forwarded": f"for={address}",
            "CF-Connecting-IP": address,
        }
        told.append(begin(url, f"forger {number}", **headers))
        until(lambda: not direct.runs())
    assert ["hi there" in text for text in told] == [True, True, False, False]
    assert "You have begun 2 comparisons" in told[2]


@pytest.fixture(scope="module")
def proxied(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A public page behind a proxy that was named, which shows it under a path."""
    log = tmp_path_factory.mktemp("proxied") / "log.txt"
    flags = ("--trusted-proxy", "127.0.0.1")
    server = served(echo_models_dir, log, *flags, GRADIO_ROOT_PATH="/compare")
    yield server
    assert server.end() == 143


@pytest.mark.slow
def test_a_proxy_that_is_named_tells_visitors_apart(proxied: Server) -> None:
    answers = []
    for number in range(6):
        said = {"X-Forwarded-For": f"6.6.6.{number}, 8.8.8.{number % 2}"}
        answers.append("hi there" in begin(f"{proxied.url}compare/", f"visitor {number}", **said))
        until(lambda: not proxied.runs())
    assert answers == [True] * 4 + [False] * 2


def test_where_the_page_is_said_to_be_is_believed_of_a_named_proxy_alone(
    server: Server, direct: Server, proxied: Server
) -> None:
    said = {"X-Forwarded-Host": "proxied.example", "X-Forwarded-Proto": "https"}
    for page in (server, direct):
        assert "proxied.example" not in httpx.get(page.url, headers=said).text
        assert "proxied.example" not in httpx.get(f"{page.url}config", headers=said).text
    config = httpx.get(f"{proxied.url}compare/config", headers=said).json()
    assert config["root"] == "https://proxied.example/compare"
    assert httpx.get(f"{proxied.url}compare/").status_code == 200
    assert httpx.get(f"{proxied.url}compare/gradio_api/upload").status_code == 404


# ---- sessions ----


@pytest.mark.parametrize("session", ["", None])
@pytest.mark.parametrize("name", ["stop", "page_stop", "page_stop_column"])
def test_without_a_session_there_is_a_sentence(
    server: Server, name: str, session: str | None
) -> None:
    """The queue names a session of its own where none is given; what is done at once has none."""
    body = {"data": [], "session_hash": session, "event_data": {"slot": 0}}
    answer = httpx.post(f"{server.url}gradio_api/run/{name}", json=body, timeout=60)
    assert answer.status_code == 500
    assert "names no session" in answer.json()["error"]


def test_two_requests_without_a_session_share_none(server: Server) -> None:
    api = f"{server.url}gradio_api/call/"
    body = {"data": ["go", ["Endless"], "", {}]}
    event = httpx.post(f"{api}compare", json=body, timeout=60).json()["event_id"]
    (run,) = until(server.runs)
    for session in ({}, {"session_hash": None}):
        stop = httpx.post(f"{api}stop", json={"data": [], **session}, timeout=60)
        told = httpx.get(f"{api}stop/{stop.json()['event_id']}", timeout=60).text
        assert "false" in told.lower()
    assert [one.pid for one in server.runs()] == [run.pid]
    with httpx.stream("GET", f"{api}compare/{event}", timeout=60) as stream:
        next(stream.iter_lines())
    until(lambda: not server.runs())


# ---- a browser ----


def test_the_page_asks_for_nothing_that_is_refused(
    browser: Browser, server: Server, open_tab: Callable[..., Page]
) -> None:
    """Every request of a whole visit, with the parameters of other programs in its address."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    tab = context.new_page()
    refused: list[Any] = []
    tab.on(
        "response",
        lambda answer: answer.status >= 400 and refused.append((answer.status, answer.url)),
    )
    tab.goto(f"{server.url}?__theme=dark&utm_source=letter&deep_link=abc")
    tab.wait_for_selector("#board-root .modes")
    assert tab.evaluate("document.body.classList.contains('dark')")
    ask(tab, "hi there", "Quick", "Failing")
    wait_for_state(tab, 0, "done")
    wait_for_state(tab, 1, "failed")
    reply(tab, 1).locator(".retry-column").click()
    wait_for_state(tab, 1, "failed")
    ask(tab, "go", "Endless")
    wait_for_state(tab, 0, "writing")
    reply(tab, 0).locator(".stop-column").click()
    wait_for_state(tab, 0, "stopped")
    tab.get_by_role("tab", name="Library").click()
    tab.wait_for_selector("#library-rows, #library table, [data-id]", state="attached")
    tab.close()
    context.close()
    assert refused == []


def test_who_logs_in_sees_the_page(browser: Browser, echo_models_dir: Path, tmp_path: Path) -> None:
    server = start_server(echo_models_dir, tmp_path / "log.txt", COMPARATOR_AUTH="anna:secret")
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    try:
        tab = context.new_page()
        tab.goto(server.url)
        tab.get_by_label("username").fill("anna")
        tab.get_by_label("password").fill("secret")
        tab.get_by_role("button", name="Login").click()
        ask(tab, "hi there", "Quick")
        wait_for_state(tab, 0, "done")
        client = Client(server.url, verbose=False, auth=("anna", "secret"))
        assert client.predict(api_name="/models")
        client.close()
    finally:
        context.close()
        assert server.end() == 143


def test_head_and_options_are_answered_shortly(server: Server) -> None:
    assert httpx.head(server.url).status_code == 200
    assert httpx.head(f"{server.url}config").status_code == 405
    answer = httpx.options(server.url)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("OPTIONS", "*")
    assert connection.getresponse().status == 404
    connection.close()
    assert os.environ.get("SPACE_ID") is None
