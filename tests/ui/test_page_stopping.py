"""Stopping: the button, Escape, one column, a closed tab, and signals to the server."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from bounds import Bounds
from cases import slow
from playwright.sync_api import Page, expect

from tests.ui.conftest import Server, ask, reply, start_server, until, wait_for_state


def test_stop_ends_all_columns_and_keeps_the_text(tab: Page, server: Server) -> None:
    ask(tab, "go", "Endless", "Endless")
    wait_for_state(tab, 0, "writing")
    expect(reply(tab, 0).locator(".answer")).to_contain_text("word")
    tab.click("#stop")
    wait_for_state(tab, 0, "stopped")
    wait_for_state(tab, 1, "stopped")
    expect(reply(tab, 0).locator(".answer")).to_contain_text("word")
    until(lambda: not server.runs())


def test_escape_stops_a_load(tab: Page, server: Server) -> None:
    ask(tab, "go", "Loading")
    wait_for_state(tab, 0, "loading")
    until(server.runs)
    tab.keyboard.press("Escape")
    wait_for_state(tab, 0, "stopped")
    until(lambda: not server.runs())


def test_stopping_one_column_lets_the_next_one_run(tab: Page) -> None:
    ask(tab, "two words", "Endless", "Quick")
    wait_for_state(tab, 0, "writing")
    reply(tab, 0).locator("button", has_text="Stop").click()
    wait_for_state(tab, 0, "stopped")
    wait_for_state(tab, 1, "done")


def test_stop_before_run_and_twice_is_harmless(tab: Page) -> None:
    for _ in range(2):  # it looks idle then, and a click does no harm all the same
        tab.click("#stop", force=True)
    ask(tab, "two words", "Quick")
    wait_for_state(tab, 0, "done")


def test_run_again_at_once_after_a_stop(tab: Page) -> None:
    ask(tab, "go", "Endless")
    wait_for_state(tab, 0, "writing")
    tab.keyboard.press("Escape")
    ask(tab, "again", "Quick")
    wait_for_state(tab, 0, "done")
    expect(reply(tab, 0).locator(".answer .markdown")).to_have_text("again")


@pytest.mark.slow
def test_run_while_running_is_ignored_with_a_note(tab: Page, server: Server) -> None:
    ask(tab, "go", "Endless")
    wait_for_state(tab, 0, "writing")
    for _ in range(5):
        tab.press("#prompt textarea", "Enter")
    expect(tab.locator(".toast-body, .toast-wrap").first).to_contain_text("still running")
    assert len(server.runs()) == 1
    expect(reply(tab, 0)).to_have_attribute("data-state", "writing")
    tab.click("#stop")
    wait_for_state(tab, 0, "stopped")


@pytest.mark.parametrize("model", ["Endless", slow("Loading")])
def test_a_closed_tab_ends_its_run_within_a_second(
    open_tab: Callable[..., Page], server: Server, bounds: Bounds, model: str
) -> None:
    tab = open_tab()
    ask(tab, "go", model)
    [child] = until(server.runs)
    wait_for_state(tab, 0, "writing" if model == "Endless" else "loading")
    closed = time.monotonic()
    tab.close()
    until(lambda: not _lives(child))
    assert bounds.under(time.monotonic() - closed, 1.0)


def test_a_reloaded_tab_ends_its_run(tab: Page, server: Server) -> None:
    ask(tab, "go", "Endless")
    until(server.runs)
    wait_for_state(tab, 0, "writing")
    tab.reload()
    until(lambda: not server.runs())


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        slow(signal.SIGTERM, 143),
        slow(signal.SIGHUP, 129),
    ],
)
def test_a_signal_ends_server_and_children(
    echo_models_dir: Path,
    tmp_path: Path,
    open_tab: Callable[..., Page],
    number: int,
    code: int,
) -> None:
    server = start_server(echo_models_dir, tmp_path / "log.txt")
    tree: list[psutil.Process] = []
    try:
        tab = open_tab(server.url)
        ask(tab, "go", "Endless")
        wait_for_state(tab, 0, "writing")
        tree = psutil.Process(server.process.pid).children(recursive=True)
        assert server.end(number) == code
    finally:
        server.process.kill()
        server.process.wait()
    until(lambda: not any(_lives(process) for process in tree))
    assert "Traceback" not in server.log.read_text()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
