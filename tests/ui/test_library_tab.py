"""The library tab: finding, choosing, making and removing models in a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import psutil
import pytest
from cases import slow
from playwright.sync_api import Locator, Page, expect

from comparator.library.changes.starter import PLACES
from tests.ui.conftest import (
    Server,
    chromium,
    reply,
    start_server,
    until,
    wait_for_models,
    wait_for_state,
)
from tests.ui.test_page_access import CONTRAST

EVIL = "<img src=x onerror=window.hacked=1>\n🙂 \x1b[2J"
ROWS = "#library-root tbody tr[data-id]"


def open_library(tab: Page) -> None:
    """Go to the tab and wait until every fact is there."""
    tab.get_by_role("tab", name="Library").click()
    tab.wait_for_selector(ROWS)
    tab.wait_for_function(
        "/models?$/.test(document.querySelector('.library-count').textContent)", timeout=60_000
    )


def row(tab: Page, name: str) -> Locator:
    return tab.locator(ROWS, has=tab.locator("td.name", has_text=name))


def select(tab: Page, *names: str) -> None:
    for name in names:
        row(tab, name).locator("input").check()


def press(tab: Page, action: str) -> None:
    tab.click(f"[data-action='{action}']")


def names(tab: Page) -> list[str]:
    return tab.locator(f"{ROWS} td.name").all_text_contents()


@pytest.fixture
def library(tab: Page) -> Page:
    open_library(tab)
    return tab


@pytest.fixture(scope="module")
def opened(server: Server) -> Iterator[Page]:
    with chromium.session() as session:
        tab = session.new_page()
        tab.goto(server.url)
        wait_for_models(tab)
        open_library(tab)
        yield tab


@pytest.fixture
def looked_at(opened: Page) -> Page:
    """The tab of tests that only look, as it stands where nothing is searched or selected."""
    opened.set_viewport_size({"width": 1280, "height": 800})
    opened.fill(".library-search", "")
    clear = opened.get_by_role("button", name="Select none")
    if clear.is_visible():
        clear.click()
    expect(opened.locator("tr[aria-selected='true']")).to_have_count(0)
    return opened


def test_rows_are_searched_filtered_and_sorted(looked_at: Page) -> None:
    everything = names(looked_at)
    assert {"Crash", "Quick", "Endless"} <= set(everything)
    looked_at.fill(".library-search", "QUICK echo")
    expect(looked_at.locator(ROWS)).to_have_count(1)
    assert looked_at.text_content(".library-count") == f"1 of {len(everything)} models"
    looked_at.fill(".library-search", "")
    looked_at.get_by_role("button", name="Name").click()
    assert names(looked_at) == sorted(everything, key=str.casefold)
    looked_at.get_by_role("button", name="Name").click()
    assert names(looked_at) == sorted(everything, key=str.casefold, reverse=True)
    expect(looked_at.locator("th[aria-sort='descending']")).to_have_text("Name")


def test_a_keyboard_walks_selects_and_compares(library: Page) -> None:
    library.get_by_role("button", name="Name").click()
    library.locator("tbody tr[tabindex='0']").focus()
    library.keyboard.press("End")
    last = library.locator("tbody tr:focus")
    expect(last.locator("td.name")).to_contain_text("This is a model")
    library.keyboard.press("ArrowUp")
    expect(library.locator("tbody tr:focus td.name")).to_have_text("Thinker")
    library.keyboard.press("ArrowUp")
    library.keyboard.press("ArrowUp")
    library.keyboard.press("ArrowUp")
    library.keyboard.press("Space")
    expect(library.locator("tr[aria-selected='true'] td.name")).to_have_text("Quick")
    expect(library.locator("#library-detail h3")).to_have_text("Quick")
    expect(library.locator("#library-detail")).to_contain_text("Quick.echo.json")
    press(library, "compare")
    expect(library.locator("#prompt textarea")).to_be_visible()
    assert library.input_value("#model-a input").startswith("Quick")
    assert library.input_value("#model-b input") == "none"
    library.fill("#prompt textarea", "well chosen")
    library.press("#prompt textarea", "Enter")
    wait_for_state(library, 0, "done")
    open_library(library)
    expect(row(library, "Quick").locator("td.number").nth(4)).to_have_text(  # last used
        time.strftime("%Y-%m-%d")
    )


def test_buttons_say_why_they_cannot_be_used(looked_at: Page) -> None:
    compare = looked_at.locator("[data-action='compare']")
    expect(compare).to_have_attribute("aria-disabled", "true")
    compare.click(force=True)  # it is marked as disabled, and says why all the same
    expect(looked_at.locator(".library-note")).to_have_text("Select a model first.")
    select(looked_at, "Crash", "Failing", "Endless", "Hostile", "Quick")
    compare.click(force=True)
    expect(looked_at.locator(".library-note")).to_contain_text("Up to 4 models")
    expect(looked_at.locator("[data-action='quantise']")).to_have_attribute(
        "title", "Select one model."
    )
    looked_at.get_by_role("button", name="Select none").click()
    expect(looked_at.locator("tr[aria-selected='true']")).to_have_count(0)
    select(looked_at, "Quick")
    reason = "Only GGUF models can be quantised."
    expect(looked_at.locator("[data-action='quantise']")).to_have_attribute("title", reason)


@pytest.mark.parametrize("mode", ["light", slow("dark")])  # axe sees the dark one
def test_text_stands_out_from_its_background(
    open_tab: Callable[..., Page], mode: Literal["light", "dark"]
) -> None:
    tab = open_tab(color_scheme=mode, reduced_motion="reduce")
    wait_for_models(tab)
    open_library(tab)
    select(tab, "Quick")
    row(tab, "Quick").click()
    expect(tab.locator("#library-detail h3")).to_have_text("Quick")
    press(tab, "remove")
    expect(tab.locator("#removal-question")).to_contain_text("frees")
    tab.click(".library-apart summary")
    tab.wait_for_function("!document.getAnimations().some((a) => a.playState === 'running')")
    assert tab.evaluate(CONTRAST) == []
    tab.click("#keep")


def test_what_is_not_offered_stands_apart_with_its_reason(looked_at: Page) -> None:
    fold = looked_at.locator(".library-apart .unusable")
    expect(fold).to_contain_text("1 file cannot be loaded")
    fold.locator("summary").click()
    expect(fold).to_contain_text("broken The file is empty (0 bytes). Download it again.")
    expect(fold).to_contain_text("broken.gguf")


@pytest.fixture
def own(tmp_path: Path, starter_models_dir: Path) -> Iterator[tuple[Path, Server]]:
    """A page over a folder that may be written to, with three real models in it."""
    models_dir = tmp_path / "models"
    for place in (PLACES[key] for key in PLACES if PLACES[key].endswith(".gguf")):
        (models_dir / place).parent.mkdir(parents=True, exist_ok=True)
        _copy(starter_models_dir / place, models_dir / place)
    (models_dir / "adapter").mkdir()
    (models_dir / "adapter" / "adapter_config.json").write_text("{}")
    server = start_server(models_dir, tmp_path / "log.txt")
    try:
        yield models_dir, server
    finally:
        code = server.end()
    assert code == 143
    assert "Traceback" not in server.log.read_text()


def _copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


@pytest.mark.slow
def test_a_ladder_is_made_cancelled_compared_and_removed(
    own: tuple[Path, Server], open_tab: Callable[..., Page]
) -> None:
    models_dir, server = own
    tab = open_tab(server.url)
    wait_for_models(tab)
    open_library(tab)
    _make_one(tab, models_dir)
    _compare_the_ladder(tab)
    _remove_one(tab, models_dir)
    _cancel_one(tab, models_dir, server)


def _choose_quantisations(tab: Page, *wanted: str) -> None:
    for box in tab.locator("#wanted input").all():
        box.set_checked(box.get_attribute("name") in wanted)
    tab.click("#check-sizes")


def _make_one(tab: Page, models_dir: Path) -> None:
    select(tab, "Q8_0")
    press(tab, "quantise")
    expect(tab.locator("#making h3")).to_contain_text("Q8_0")
    _choose_quantisations(tab, "Q5_0")
    expect(tab.locator("#making-news")).to_contain_text(
        "is itself quantised (Q8_0)", timeout=60_000
    )
    tab.click("#make")
    expect(tab.locator("#making-news progress")).to_be_visible(timeout=20_000)
    expect(tab.locator("#making-news")).to_contain_text("Made: ", timeout=120_000)
    expect(row(tab, "Q5_0")).to_be_visible()
    assert len(list(models_dir.rglob("*Q5_0.gguf"))) == 1
    tab.click("#close-making")
    tab.get_by_role("button", name="Select none").click()


def _compare_the_ladder(tab: Page) -> None:
    select(tab, "Q2_K")
    press(tab, "ladder")
    expect(tab.locator("#prompt textarea")).to_be_visible()
    values = [tab.input_value(f"#model-{letter} input") for letter in "abcd"]
    rungs = ("Q8_0", "Q5_0", "Q4_1", "Q2_K")
    assert all(rung in value for rung, value in zip(rungs, values, strict=True)), values
    tab.fill("#max-tokens input", "4")
    tab.fill("#prompt textarea", "Name a colour.")
    tab.press("#prompt textarea", "Enter")
    for slot in range(4):
        wait_for_state(tab, slot, "done", 120)
        assert reply(tab, slot).locator("dt").first.text_content() == "First token"


def _remove_one(tab: Page, models_dir: Path) -> None:
    made = next(models_dir.rglob("*Q5_0.gguf"))
    open_library(tab)
    tab.get_by_role("button", name="Select none").click()
    select(tab, "Q5_0")
    press(tab, "remove")
    expect(tab.locator("#removal-question")).to_contain_text("deletes 1 file and frees")
    tab.click("#keep")
    expect(tab.locator("#removal")).not_to_be_visible()
    assert made.exists()
    press(tab, "remove")
    tab.click("#agree")
    expect(tab.locator("#library-notes")).to_contain_text("Removed")
    expect(row(tab, "Q5_0")).to_have_count(0)
    assert not made.exists()


def _cancel_one(tab: Page, models_dir: Path, server: Server) -> None:
    select(tab, "Q8_0")
    press(tab, "quantise")
    _choose_quantisations(tab, "IQ4_XS", "Q5_K_M", "Q3_K_L", "Q6_K")
    tab.click("#make")
    until(lambda: _is_held(server))
    tab.reload()  # the work belongs to the server: a page that comes anew finds it
    wait_for_models(tab)
    tab.get_by_role("tab", name="Library").click()
    tab.click("#cancel")
    expect(tab.locator("#making-news")).to_contain_text("Cancelled.")
    until(lambda: not list(models_dir.rglob(".quantise-*")))


def _is_held(server: Server) -> bool:
    """Suspend what is being made, so that a page which opens slowly still finds it under way."""
    with contextlib.suppress(psutil.Error):
        for child in server.runs():
            child.suspend()
            if child.status() == psutil.STATUS_STOPPED:
                return True
    return False


@pytest.fixture
def hostile(echo_models_dir: Path) -> Iterator[None]:
    """A model with a hostile name beside the others."""
    file = echo_models_dir / f"{EVIL}.echo.json"
    file.write_text("{}")
    yield
    file.unlink(missing_ok=True)


def test_hostile_names_are_shown_and_do_nothing(hostile: None, library: Page) -> None:
    tab = library
    evil = tab.locator(ROWS, has_text="onerror")
    expect(evil.locator("td.name")).to_have_text(
        "<img src=x onerror=window.hacked=1>\\n🙂 \\x1b[2J"
    )
    evil.click()
    expect(tab.locator("#library-detail h3")).to_contain_text("<img src=x onerror")
    select(tab, "onerror")
    press(tab, "remove")
    expect(tab.locator("#removal-question")).to_contain_text("<img src=x onerror")
    tab.click("#agree")
    expect(tab.locator("#library-notes")).to_contain_text("Removed <img src=x")
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("#library img, #library-tab img").count() == 0


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page that others can reach, on a machine with models in another tool's folder."""
    home = tmp_path_factory.mktemp("public")
    (home / "own" / "adapter").mkdir(parents=True)
    (home / "own" / "adapter" / "adapter_config.json").write_text("{}")
    (home / "own" / "Shown.echo.json").write_text("{}")
    (home / "own" / "broken.gguf").touch()
    (home / "others" / "other").mkdir(parents=True)
    (home / "others" / "other" / "Secret.gguf").write_bytes(b"GGUF")
    server = start_server(
        home / "own",
        home / "log.txt",
        GRADIO_SERVER_NAME="0.0.0.0",
        COMPARATOR_SOURCES="all",
        LLAMA_CACHE=str(home / "others"),
        HF_HUB_CACHE=str(home / "others"),
        OLLAMA_MODELS=str(home / "others"),
    )
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143


def test_a_public_page_shows_its_own_models_alone_and_no_place(
    open_tab: Callable[..., Page], public: Server
) -> None:
    tab = open_tab(public.url)
    wait_for_models(tab)
    open_library(tab)
    assert names(tab) == ["Shown"]
    assert "Source" not in tab.locator("#library-root thead").inner_text()
    row(tab, "Shown").click()
    expect(tab.locator("#library-detail h3")).to_have_text("Shown")
    for fold in tab.locator(".library-apart summary").all():
        fold.click()
    whole = tab.locator("body").inner_text()
    assert "Secret" not in whole
    assert str(public.log.parent) not in tab.content()
    assert "adapter" in whole
    for action in ("quantise", "remove"):
        expect(tab.locator(f"[data-action='{action}']")).not_to_be_visible()
    expect(tab.locator("#making, #removal, #wanted")).to_have_count(0)
    press(tab, "compare")
    assert tab.input_value("#model-a input").startswith("Shown")


def test_a_public_page_has_no_event_that_changes_the_library(
    server: Server, public: Server
) -> None:
    changing = {"library_quantise", "library_plan", "library_make", "library_cancel"}
    changing |= {"library_ask", "library_remove"}
    assert changing <= _events(server.url)
    assert not changing & _events(public.url)
    assert {"library_rescan", "library_compare"} <= _events(public.url)


def _events(url: str) -> set[str]:
    with urllib.request.urlopen(f"{url}config", timeout=60) as answer:
        return {event["api_name"] for event in json.load(answer)["dependencies"]}


def test_the_table_takes_the_width_that_is_there(looked_at: Page) -> None:
    frame = ".library-frame"
    looked_at.set_viewport_size({"width": 1700, "height": 800})
    heads = looked_at.locator(f"{frame} th")
    last, whole = heads.last.bounding_box(), looked_at.locator(f"{frame} table").bounding_box()
    assert last is not None
    assert whole is not None
    assert abs(last["x"] + last["width"] - whole["x"] - whole["width"]) < 2
