"""What the project needs of Gradio and uvicorn beyond their documents, by what they do.

Runs at the lowest, the pinned and the newest Gradio that is allowed. What needs no browser and no
page of ours is here; the rest is in ``tests/ui/test_page_names.py`` and ``tests/ui/test_door.py``.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import psutil
import pytest
from starlette.middleware import Middleware

from comparator.core.exceptions import ConfigurationError
from comparator.ui import adapter
from comparator.ui import page as pages
from comparator.ui.door import Door
from tests.ui.conftest import until

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def fresh() -> Any:
    """Probes that have not answered yet, and afterwards none of what a test made them say."""
    probes = [one for one in vars(adapter).values() if hasattr(one, "cache_clear")]
    for probe in probes:
        probe.cache_clear()
    met = list(adapter._met)
    yield
    adapter._met[:] = met
    for probe in probes:
        probe.cache_clear()


def test_nothing_has_to_be_told_of_the_installed_versions(fresh: None) -> None:
    assert adapter.findings() == []


# ---- each probe says what it finds ----


def test_arguments_of_launch_that_are_gone_are_told(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(self: Any, share: bool = False, ssr_mode: bool = False) -> None:
        """Another version's."""

    monkeypatch.setattr(gr.Blocks, "launch", launch)
    (told,) = adapter.findings()
    assert "num_workers, mcp_server" in told
    assert gr.__version__ in told


def test_events_that_carry_otherwise_are_told(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gr, "EventData", lambda target, _data: SimpleNamespace(payload=_data))
    assert "Stop and Retry" in " ".join(adapter.findings())


@pytest.mark.parametrize("data", [None, 7, "slot", ["slot"], {"other": 1}, {"slot": None}])
def test_an_event_may_carry_anything(data: Any) -> None:
    assert adapter.carried(gr.EventData(None, data), "slot") is None


def test_what_an_event_carries_is_read() -> None:
    assert adapter.carried(gr.EventData(None, {"slot": 0, "ids": ["a"]}), "ids") == ["a"]


def test_a_model_that_has_gone_from_its_list_reaches_our_own_check() -> None:
    def lists() -> tuple[Any, Any]:
        ours = adapter.unlisted(gr.Dropdown(["here"], elem_id="ours", render=False))
        return ours, gr.Dropdown(["here"], elem_id="other", render=False)

    ours, other = adapter.in_a_loop(lists)
    assert ours.preprocess("gone") == "gone"
    copy = adapter.in_a_loop(lambda: type(ours)(**{**ours.constructor_args, "render": False}))
    assert copy.preprocess("gone") == "gone"  # as a session has it once an event has updated it
    assert other.preprocess("here") == "here"
    for field, value in ((other, "gone"), (ours, ["gone"]), (ours, {"a": 1})):
        with pytest.raises(gr.Error):
            field.preprocess(value)


def test_a_number_beyond_its_range_reaches_our_own_check(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = adapter.in_a_loop(lambda: adapter.unbounded(gr.Number(1, maximum=2, render=False)))
    assert (field.preprocess(5), field.maximum) == (5, 2)
    copy = adapter.in_a_loop(lambda: type(field)(**{**field.constructor_args, "render": False}))
    assert copy.preprocess(5) == 5  # as a session has it once an event has updated the field

    def preprocess(self: Any, payload: Any) -> Any:
        if self.maximum is not None and payload > self.maximum:
            raise gr.Error("checked elsewhere")
        return payload

    monkeypatch.setattr(gr.Number, "preprocess", preprocess)
    field = adapter.in_a_loop(lambda: adapter.unbounded(gr.Number(1, maximum=2, render=False)))
    assert field.preprocess(5) == 5
    assert "none has a range" in " ".join(adapter.findings())


def test_a_queue_without_its_pauses_is_left_alone(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = adapter.in_a_loop(lambda: gr.Blocks().queue())
    del made._queue.sleep_when_free
    monkeypatch.setattr(gr.Blocks, "queue", lambda self: made)
    assert "how often its queue looks" in " ".join(adapter.findings())
    adapter.look_less_often(made)
    assert not hasattr(made._queue, "sleep_when_free")


# ---- and does what it is for ----


def hello(words: str) -> str:
    return f"hello {words}"


@pytest.fixture
def served(fresh: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small page that is served in this process, with the door's place taken by the test."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "disabled", False)

    def build() -> Any:
        with gr.Blocks(analytics_enabled=False) as made:
            words = gr.Textbox(elem_id="words")
            words.submit(hello, words, words, api_name="hello")
        return made.queue()

    made = adapter.in_a_loop(build)
    adapter.look_less_often(made)
    yield made
    adapter.close(made)
    made.close(verbose=False)


def launched(made: Any, **more: Any) -> tuple[Any, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app, address, _shared = adapter.in_a_loop(
        lambda: adapter.launch(
            made,
            server_name="127.0.0.1",
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            **adapter.SHUT,
            **more,
        )
    )
    return app, address


class Refusing:
    """A door that is open for nothing, beside what the page's start asks."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await Door(self._app, SimpleNamespace(trusts=lambda _peer: False))(scope, receive, send)


def test_without_any_door_no_page_is_opened(served: Any) -> None:
    app, address = launched(served)
    with pytest.raises(ConfigurationError, match="does not let this page put its door before it"):
        adapter.stand_before(app, lambda behind: behind, address)


def test_a_door_that_stands_behind_gradios_layers_is_told(served: Any) -> None:
    app, address = launched(served, app_kwargs={"middleware": [Middleware(Refusing)]})
    adapter.stand_before(app, lambda behind: behind, address)
    assert "stands behind Gradio's own layers" in " ".join(adapter.findings())


def test_a_door_stands_before_gradios_layers(served: Any) -> None:
    app, address = launched(served)
    adapter.stand_before(app, Refusing, address)
    assert adapter.findings() == []
    assert httpx.get(f"{address}config").status_code == 200
    assert httpx.get(f"{address}gradio_api/openapi.json").status_code == 404


def test_the_server_believes_no_proxy_and_starts_no_process(served: Any) -> None:
    before = set(psutil.Process().children(recursive=True))
    seen: list[Any] = []

    class Looking:
        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope.get("client"))
            await self._app(scope, receive, send)

    app, address = launched(served)
    app.middleware_stack = Looking(app.middleware_stack)
    assert httpx.get(address, headers={"X-Forwarded-For": "8.8.8.8"}).status_code == 200
    assert seen[-1][0] == "127.0.0.1"
    assert set(psutil.Process().children(recursive=True)) == before


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has this limit")
def test_lost_clients_are_noticed_by_the_listening_sockets(served: Any) -> None:
    launched(served)
    adapter.notice_lost_clients(served)
    kind = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    limits = [listener.getsockopt(*kind) for listener in adapter._listeners(served)]
    assert limits == [adapter.LOST_SECONDS * 1000]
    assert adapter.findings() == []


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has this limit")
def test_sockets_that_are_not_to_be_found_are_told(fresh: None) -> None:
    adapter.notice_lost_clients(SimpleNamespace(server=SimpleNamespace()))
    assert "sockets are not to be found" in " ".join(adapter.findings())


def test_an_idle_page_hardly_looks_for_events(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by the pauses that the queue takes: at Gradio's own it would be thousands."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def counting(delay: float, *rest: Any) -> Any:
        pauses.append(delay)
        return await sleep(delay, *rest)

    launched(served)
    assert httpx.get(str(served.local_url)).status_code == 200
    monkeypatch.setattr(asyncio, "sleep", counting)
    until(lambda: pauses.count(adapter.EVENT_LOOK_SECONDS) >= 5)
    assert not [delay for delay in pauses if 0 < delay < adapter.EVENT_LOOK_SECONDS / 2]


def test_an_update_looks_for_no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("matplotlib") is not None:
        pytest.skip("matplotlib is installed, so it is left alone")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    adapter.look_for_no_plots()
    asked: list[str] = []

    class Finder:
        def find_spec(self, name: str, *_rest: Any) -> None:
            asked.append(name)

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(ImportError):
        importlib.import_module("matplotlib.figure")
    assert asked == []


CLOSING = """
import socket, sys, threading, time
import gradio as gr
from comparator.ui import adapter

def forever(words):
    while True:
        time.sleep(0.05)
        yield words

def build():
    with gr.Blocks(analytics_enabled=False) as made:
        words = gr.Textbox()
        words.submit(forever, words, words, api_name="forever")
    return made.queue()

page = adapter.in_a_loop(build)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
adapter.in_a_loop(lambda: adapter.launch(
    page, server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True,
    **adapter.SHUT,
))
import httpx
with httpx.stream("GET", f"http://127.0.0.1:{port}/gradio_api/heartbeat/x", timeout=30) as stream:
    next(stream.iter_bytes())
    thread = page.server.thread
    adapter.close(page)
    print("ended", not thread.is_alive())
"""


def test_a_page_with_open_streams_ends_in_peace(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSING],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["ended", "True"], done.stderr
    assert "Traceback" not in done.stderr
    assert "Cancel" not in done.stderr


def test_the_page_itself_is_built(tmp_path: Path) -> None:
    from comparator.hosting.host import Host
    from comparator.hosting.options import ServerOptions

    host = Host(ServerOptions(tmp_path, sources=()))
    try:
        made = adapter.in_a_loop(lambda: pages.build_page(host))
        assert isinstance(made, gr.Blocks)
    finally:
        host.close()


def test_the_styles_rest_on_no_other_names_of_gradios() -> None:
    """Every class of page.css is ours, which our scripts make, or listed in the adapter."""
    static = REPOSITORY / "comparator" / "ui" / "static"
    css = re.sub(r"/\*.*?\*/|\{[^{}]*\}", "", (static / "page.css").read_text(), flags=re.DOTALL)
    used = set(re.findall(r"\.([A-Za-z][\w-]*)", css))
    theirs = set(re.findall(r"\.([\w-]+)", " ".join(adapter.CLASS_NAMES)))
    ours = " ".join(path.read_text() for path in static.glob("*.[jh]*"))
    ours += "".join(path.read_text() for path in (REPOSITORY / "comparator/ui").rglob("*.py"))
    colours_of_code = {name for name in used if name.startswith("hljs-")}  # of highlight.js
    used -= theirs | colours_of_code
    unknown = {name for name in used if not re.search(rf"\b{name}\b", ours)}
    made_of_parts = {"stop-column", "retry-column"}
    assert unknown - made_of_parts <= {"dark", "open", "toast-wrap"}  # seen in tests/ui
