"""What the raw API and odd clients cost: a bounded amount, and never more than one place."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from bounds import Bounds
from gradio_client import Client

from tests.ui.conftest import Server, start_server, until

TOTAL_SECONDS = 2.0
SHORT = f"""
from comparator.hosting.options import ServerOptions, default_models_dir
from comparator.ui import serve
from runners.process import Deadlines
serve(ServerOptions(default_models_dir(), deadlines=Deadlines(total_seconds={TOTAL_SECONDS})))
"""


@pytest.fixture(scope="module")
def hasty(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page on which a run may take two seconds."""
    log = tmp_path_factory.mktemp("hasty") / "log.txt"
    server = start_server(echo_models_dir, log, ("-c", SHORT))
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143


def _join(server: Server, session: str, *models: str) -> httpx.Response:
    """Join the queue as a client that will not open the stream of its answers."""
    data = {"data": ["go", list(models), "", {}], "session_hash": session}
    return httpx.post(f"{server.url}gradio_api/call/compare", json=data)


def test_a_client_that_never_reads_ends_at_the_deadline(hasty: Server, bounds: Bounds) -> None:
    memory = psutil.Process(hasty.process.pid).memory_info().rss
    assert _join(hasty, "silent one", "Endless").status_code == 200
    [first] = until(hasty.runs)
    assert _join(hasty, "silent two", "Endless", "Endless").status_code == 200
    until(lambda: not first.is_running())
    [second] = until(hasty.runs)  # the place was free for the next in line
    assert second.pid != first.pid
    client = Client(hasty.url, verbose=False)
    [record] = client.submit("hi there", ["Quick"], "", {}, api_name="/compare").result(timeout=60)
    assert record["content"] == "hi there"
    client.close()
    until(lambda: not hasty.runs())
    grown = psutil.Process(hasty.process.pid).memory_info().rss - memory
    assert bounds.under(grown, 20_000_000)


def test_the_deadline_is_said(hasty: Server) -> None:
    client = Client(hasty.url, verbose=False)
    [record] = client.submit("go", ["Loading"], "", {}, api_name="/compare").result(timeout=60)
    client.close()
    assert record["error_kind"] == "timeout"
    assert "whole run" in record["error"]


def test_a_flood_of_joins_never_starts_more_than_one_model(hasty: Server) -> None:
    most, over = 0, threading.Event()

    def count() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, len(hasty.runs()))

    counter = threading.Thread(target=count)
    counter.start()
    try:
        for number in range(50):
            assert _join(hasty, f"flood {number}", "Quick").status_code in (200, 503)
        until(lambda: not hasty.runs())
        client = Client(hasty.url, verbose=False)
        job = client.submit("hi there", ["Quick"], "", {}, api_name="/compare")
        assert job.result(timeout=60)[0]["is_complete"]
        client.close()
    finally:
        over.set()
        counter.join()
    assert most == 1


def test_many_clients_that_leave_at_once_do_not_hold_the_page_up(
    server: Server, bounds: Bounds
) -> None:
    api = f"{server.url}gradio_api/"
    with httpx.Client(timeout=60) as http:
        streams = []
        for number in range(20):
            data = {"data": ["go", ["Endless"], "", {}], "session_hash": f"leaver {number}"}
            event = http.post(f"{api}call/compare", json=data).json()["event_id"]
            streams.append(http.stream("GET", f"{api}call/compare/{event}"))
            if not number:  # later this one may have met its deadline, and the next not yet begun
                until(server.runs)
        for stream in streams:
            next(stream.__enter__().iter_lines())
    slowest = 0.0
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        began = time.monotonic()
        assert httpx.get(f"{server.url}config", timeout=60).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    until(lambda: not server.runs())
    assert bounds.under(slowest, 0.5)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("compare", []),
        ("compare", ["x" * 5_000_000, ["Endless"], "", {}]),
        ("page_run", ["go"]),
        ("page_run", [*[[1]] * 4, {"a": 1}, None, *["hot"] * 30]),
        ("page_run", ["/etc/passwd", *[""] * 3, "go", "", *[None] * 40]),
        ("page_run", [*[""] * 4, "go", "", *[{}] * 40]),
        ("page_retry", []),
        ("page_stop_column", []),
        ("nothing", []),
    ],
)
def test_the_raw_api_starts_nothing_on_nonsense(hasty: Server, name: str, data: list[Any]) -> None:
    api = f"{hasty.url}gradio_api/call/{name}"
    answer = httpx.post(api, json={"data": data, "session_hash": "raw"}, timeout=60)
    text = answer.text
    if answer.status_code == 200:
        text = httpx.get(f"{api}/{answer.json()['event_id']}", timeout=60).text
    assert "Traceback" not in text
    assert hasty.runs() == []
