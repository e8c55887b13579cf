"""Thirty visitors of a public page at once, half of whom vanish without a goodbye."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from gradio_client import Client

from tests.ui.conftest import Server, start_server

CROWD = Path(__file__).parents[1] / "support" / "visiting_crowd.py"
REAL = "SmolLM2-135M-Instruct.Q2_K"
MOST_GROWTH_BYTES = 30_000_000


@pytest.fixture
def public(tmp_path: Path, starter_models: dict[str, str]) -> Any:
    """A public page over an echo model and a real one, with rates that thirty visitors need."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "Echo.echo.json").write_text("{}")
    (folder / f"{REAL}.gguf").symlink_to(starter_models["gguf_q2_k"])
    limits = ("visitor_per_minute=1000", "all_per_minute=10000")
    flags = [word for limit in limits for word in ("--public-limit", limit)]
    command = ("-m", "comparator", "serve", "--public", *flags)
    server = start_server(folder, tmp_path / "log.txt", command)
    yield server
    assert server.end() == 143
    assert "Traceback" not in server.log.read_text()


def crowd(server: Server, name: str, seconds: float, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(CROWD), server.url, str(seconds), str(count), name, REAL]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def until(true: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def visit(public: Server, seconds: float, count: int, record: Callable[[str, Any], None]) -> None:
    half = count // 2
    begun = time.monotonic()
    crowds = [crowd(public, name, seconds, half) for name in ("polite", "vanishing")]
    try:
        time.sleep(min(20.0, seconds / 2))
        early = psutil.Process(public.process.pid).memory_full_info().uss
        reports = [report_of(process) for process in crowds]
    finally:
        for process in crowds[1:]:
            process.kill()
        for process in crowds:
            process.wait(150)
            assert process.stdout is not None
            process.stdout.close()
    assert [report["wrong"] for report in reports] == [[], []]
    assert min(min(report["answers"]) for report in reports) >= 1, "nobody was left out"
    assert all(report["most_waiting"] >= 1 for report in reports), "who waits is told so"
    assert until(lambda: not public.runs(), 10), "no model's process is left"
    assert until(lambda: most_waiting(public) == 0, 30), "nobody who left is in the line"
    late = psutil.Process(public.process.pid).memory_full_info().uss
    record("answers", sum(sum(report["answers"]) for report in reports))
    record("answers of the real model", sum(report["real_answers"] for report in reports))
    record("longest line", max(report["most_waiting"] for report in reports))
    record("seconds", round(time.monotonic() - begun))
    record("growth of the page's memory, MB", round((late - early) / 1e6, 1))
    assert late - early < MOST_GROWTH_BYTES


def most_waiting(server: Server) -> int:
    """Return behind how many others somebody who comes now has to wait."""
    client = Client(server.url, verbose=False)
    job = client.submit("late", ["Echo"], "", {"max_tokens": 1}, api_name="/compare")
    job.result(timeout=120)
    client.close()
    return max(snapshot[0]["position"] for snapshot in job.outputs())


def test_a_few_visitors_for_some_seconds(
    public: Server, record_property: Callable[[str, Any], None]
) -> None:
    visit(public, 8.0, 6, record_property)


def test_thirty_visitors_for_two_minutes(
    public: Server, record_property: Callable[[str, Any], None]
) -> None:
    visit(public, 120.0, 30, record_property)
