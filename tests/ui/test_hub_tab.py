"""The Hub's tab in a real browser, over a hub of this machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from fetching import noise, sha256, until
from local_hub import Fault, LocalHub
from local_hub_fixture import hub_alone

from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hub.catalogue import SearchHit
from comparator.hub.downloads import Downloads, DownloadStatus
from comparator.services.memory_manager import MemoryManager
from comparator.ui.hub import render
from comparator.ui.hub.handlers import wire_hub_tab
from comparator.ui.hub.tab import build_hub_tab
from comparator.ui.language import translations
from comparator.ui.page import build_page
from comparator.ui.static_files import STATIC
from comparator.ui.theme import theme
from tests.ui.conftest import PATIENCE_SECONDS

NAME = "org/Small-GGUF"
SIZE = 6_000_000


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with hub_alone(monkeypatch) as hub:
        hub.add(
            NAME,
            {"s-Q8_0.gguf": noise(SIZE), "s-Q4_K_M.gguf": noise(SIZE, 1)},
            tags=["gguf", "license:mit"],
            downloads=7,
            parameters=135_000_000,
        )
        hub.add("org/Other", {"config.json": b"{}", "model.safetensors": noise(200_000)})
        yield hub


@pytest.fixture
def page(hub: LocalHub, tmp_path: Path) -> Iterator[tuple[str, Downloads]]:
    downloads = Downloads(tmp_path)
    with gr.Blocks(analytics_enabled=False) as blocks:
        wire_hub_tab(blocks, build_hub_tab(), downloads, MemoryManager())
    _app, address, _shared = blocks.launch(
        prevent_thread_lock=True, quiet=True, theme=theme(), css_paths=[STATIC / "hub.css"],
        ssr_mode=False, server_name="127.0.0.1", i18n=translations(),
    )  # fmt: skip
    yield str(address), downloads
    downloads.close()
    blocks.server.force_exit = True
    logging.getLogger("uvicorn.error").disabled = True  # it tells of streams that were cut off
    blocks.close(verbose=False)
    logging.getLogger("uvicorn.error").disabled = False


@pytest.fixture
def tab(browser, page):
    tab = browser.new_page()
    tab.set_default_timeout(PATIENCE_SECONDS * 1000)
    tab.goto(page[0])
    yield tab
    tab.close()


def search(tab, text):
    tab.fill("#hub-text input, #hub-text textarea", text)
    tab.click("#hub-go")


def choose(tab, text="small"):
    search(tab, text)
    tab.click(f"#hub-results button:has-text('{NAME}')")
    tab.wait_for_function("document.querySelector('#hub-choice input')?.value.includes('Q4_K_M')")


def test_search_choose_download_and_it_is_whole(tab, page, hub, tmp_path):
    choose(tab)
    assert tab.input_value("#hub-choice input") == "Q4_K_M · GGUF · 6 MB · fits"
    assert re.search(
        r"Free now: [\d.]+ GB of disk, [\d.]+ GB of memory", tab.inner_text("#hub-note")
    )
    assert "135 M" in tab.inner_text("#hub-results")
    tab.click("#hub-choice input")
    tab.click("ul[role=listbox] li:has-text('Q8_0')")
    tab.click("#hub-fetch")
    tab.wait_for_selector(".hub-download[data-state=done]")
    path = tmp_path / "gguf" / NAME / "s-Q8_0.gguf"
    assert sha256(path) == hub.repositories[NAME].files["s-Q8_0.gguf"].sha256


def test_progress_is_shown_survives_a_reload_and_cancel_ends_it(tab, page, hub):
    hub.bytes_per_second = 200_000  # still under way whatever else runs on this machine
    choose(tab)
    tab.click("#hub-fetch")
    words = ".hub-download[data-state=download] > span:has-text('left')"
    tab.wait_for_selector(words)
    assert "/s" in tab.inner_text(words)
    assert "of 6 MB" in tab.inner_text(words)
    tab.reload()
    tab.wait_for_selector(words)
    tab.click(".hub-download button:has-text('Cancel')")
    tab.wait_for_selector(".hub-download[data-state=cancelled]")
    until(page[1].are_over)


@pytest.mark.slow
def test_two_at_once(tab, page, hub):
    hub.bytes_per_second = 200_000  # still under way whatever else runs on this machine
    choose(tab)
    tab.click("#hub-fetch")
    tab.wait_for_selector(".hub-download")
    tab.click("#hub-choice input")
    tab.click("ul[role=listbox] li:has-text('Q8_0')")
    tab.click("#hub-fetch")
    until(lambda: tab.locator(".hub-download[data-state=download]").count() == 2)


def test_what_goes_wrong_is_said(tab, page, hub):
    tab.click("#hub-fetch")
    tab.wait_for_selector("#hub-note p:has-text('Search first')")
    search(tab, "org/none")
    tab.wait_for_selector("#hub-note p:has-text('There is no org/none')")
    search(tab, "nothing like this")
    tab.wait_for_selector("#hub-note p:has-text('Nothing on the hub fits')")
    tab.fill("#hub-largest input, #hub-largest textarea", "much")
    search(tab, "small")
    tab.wait_for_selector("#hub-note p:has-text('is no size')")
    tab.fill("#hub-largest input, #hub-largest textarea", "")
    hub.fail("info", Fault(403, "GatedRepo"))
    search(tab, NAME)
    tab.wait_for_selector("#hub-note p:has-text('hf auth login')")
    hub.fail("storage", Fault(damage=True))
    choose(tab)
    tab.click("#hub-fetch")
    tab.wait_for_selector(".hub-download[data-state=failed] > span:has-text('wrong checksum')")


@pytest.mark.parametrize("public", [False, True])
def test_a_public_page_has_no_such_tab(tmp_path, public):
    host = Host(ServerOptions(tmp_path, public=public, sources=()))
    try:
        config = build_page(host).get_config_file()
    finally:
        host.close()
    names = {component["props"].get("elem_id") for component in config["components"]}
    assert "library-tab" in names
    assert ("hub-tab" in names) is not public
    events = {event["api_name"] for event in config["dependencies"]}
    assert bool({"search", "fetch", "look"} & events) is not public


def test_texts_of_the_hub_cannot_become_html():
    hostile = '<img src=x onerror=alert(1)>"\x1b'
    status = DownloadStatus("id", hostile, hostile, "failed", 1, 2, 0.0, None, hostile, "")
    found = SearchHit(hostile, (), 1, 1, None, hostile, True)
    shown = render.downloads([status]) + render.results([found])
    assert "<img" not in shown
    assert "\x1b" not in shown
