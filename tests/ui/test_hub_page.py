"""The whole page, served by a process of its own, over a hub of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from fetching import noise, sha256
from local_hub import LocalHub
from playwright.sync_api import Page

from tests.ui.conftest import Server, reply, start_server, until, wait_for_state

MODEL = "org/SmolLM2-GGUF"
SLOW = "org/Slow-GGUF"


@pytest.fixture
def hub(starter_models: dict[str, str]) -> Iterator[LocalHub]:
    with LocalHub() as hub:
        model = Path(starter_models["gguf_q4_1"])
        hub.add(MODEL, {f"small/{model.name}": model}, tags=["gguf"])
        hub.add(SLOW, {"s-Q4_K_M.gguf": noise(6_000_000)}, tags=["gguf"])
        yield hub


@pytest.fixture
def hub_server(hub: LocalHub, tmp_path: Path) -> Iterator[Server]:
    server = start_server(tmp_path / "models", tmp_path / "log.txt", **hub.environment())
    yield server
    if server.process.poll() is None:
        server.end()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def hub_page(open_tab: Callable[..., Page], hub_server: Server) -> Page:
    return open_tab(hub_server.url)


def download(tab: Page, name: str) -> None:
    tab.click("button[role=tab]:has-text('Get models')")
    tab.fill("#hub-text textarea, #hub-text input", name)
    tab.click("#hub-go")
    tab.wait_for_function("document.querySelector('#hub-choice input')?.value.includes('GGUF')")
    tab.click("#hub-fetch")


@pytest.mark.slow
def test_a_model_that_has_come_is_chosen_and_answers(hub_page, hub, tmp_path):
    download(hub_page, MODEL)
    hub_page.wait_for_selector(".hub-download[data-state=done]", timeout=60_000)
    (path,) = (tmp_path / "models").rglob("*.gguf")
    (file,) = hub.repositories[MODEL].files.values()
    assert sha256(path) == file.sha256
    hub_page.click("button[role=tab]:has-text('Compare')")
    hub_page.click("#model-a input")
    hub_page.click("ul[role=listbox] li:has-text('SmolLM2')")
    hub_page.fill("#max-tokens input", "8")
    hub_page.fill("#prompt textarea", "Name a colour.")
    hub_page.press("#prompt textarea", "Enter")
    wait_for_state(hub_page, 0, "done", 90)
    assert reply(hub_page, 0).locator(".answer").inner_text().strip()


@pytest.mark.slow
def test_a_server_that_ends_takes_its_downloads_along(hub_page, hub, hub_server, tmp_path):
    hub.bytes_per_second = 100_000
    download(hub_page, SLOW)
    hub_page.wait_for_selector(".hub-download[data-state=download]")
    hub_page.reload()
    hub_page.click("button[role=tab]:has-text('Get models')")
    hub_page.wait_for_selector(".hub-download[data-state=download] > span:has-text('left')")
    workers = [
        child
        for child in psutil.Process(hub_server.process.pid).children(recursive=True)
        if "comparator.hub.worker" in child.cmdline()
    ]
    assert len(workers) == 1
    hub_server.end()
    until(lambda: not psutil.pid_exists(workers[0].pid))
    assert not list((tmp_path / "models").rglob("*.gguf"))
