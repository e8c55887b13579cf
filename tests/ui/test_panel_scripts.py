"""The panels' scripts, drawn by hand: what a machine without accelerators cannot show, and when."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from panel_records import record
from playwright.sync_api import Browser, Page
from script_alone import script_alone

from comparator.ui.compare import fair_play, machine
from comparator.ui.static_files import static_text

HOSTILE = "<img src=x onerror=window.hacked=1>\u202e"


@pytest.fixture
def panels(browser: Browser) -> Iterator[Page]:
    """An empty page with the scripts of both panels."""
    page = browser.new_page()
    page.set_content("<div id='fair-play-root'></div><div id='machine-root'></div>")
    page.add_script_tag(content=f"{script_alone()}\n{static_text('fair_play.js', 'machine.js')}")
    yield page
    page.close()


def draw(panels: Page, view: dict[str, Any]) -> None:
    panels.evaluate(
        """(view) => {
          drawFairPlay(document.querySelector("#fair-play-root"), view);
          drawMachine(document.querySelector("#machine-root"), view);
        }""",
        json.loads(json.dumps(view)),
    )


def records() -> list[dict[str, Any]]:
    first = record(model__name=HOSTILE, prompt__rendered=f"<s>{HOSTILE}")
    devices = [{"name": "GPU", "total_bytes": 80, "free_before": 70, "free_after": 60}]
    first["receipt"].update(devices=devices, peak_device_bytes=9_000_000)
    first["receipt"]["samples"]["device_bytes"] = [[0], [5_000_000], [9_000_000], [0]]
    return [first, record("pytorch", 120.0, stats__tokens_per_second=None)]


def test_accelerators_have_a_chart_of_their_own(panels: Page) -> None:
    draw(panels, {"run": 1, "machine": machine.view_of(records()), "fair_play": None})
    titles = panels.locator(".chart figcaption").all_text_contents()
    assert titles == ["RAM over the comparison", "Memory of GPU"]
    assert panels.locator(".chart").nth(1).locator(".taken").count() == 0
    assert "GPU: 60 bytes free, 70 bytes before." in panels.inner_text(".given-back")
    assert "not measured" in panels.inner_text(".figures")
    draw(panels, {"run": 2, "machine": machine.view_of([record()]), "fair_play": None})
    assert panels.locator(".chart").count() == 1, "without one nothing of it is shown"


def test_what_others_wrote_is_text_in_both_panels(panels: Page) -> None:
    told = {"machine": machine.view_of(records()), "fair_play": fair_play.view_of(records())}
    draw(panels, {"run": 1, **told})
    assert panels.evaluate("window.hacked") is None
    assert panels.locator("img").count() == 0
    shown = panels.locator(".rendered").first.text_content() or ""
    assert shown.startswith("<s><img src=x")
    assert panels.locator(".rendered").first.locator(".token-chip").all_text_contents() == ["<s>"]


def test_nothing_is_drawn_anew_that_is_the_same(panels: Page) -> None:
    view = {"run": 1, "machine": machine.view_of(records()), "fair_play": None}
    draw(panels, view)
    panels.evaluate("document.querySelector('.machine svg').dataset.mark = 'kept'")
    draw(panels, copy.deepcopy(view))
    assert panels.locator(".machine svg[data-mark='kept']").count() == 1
    view["machine"]["version"] = 1
    draw(panels, view)
    assert panels.locator(".machine svg[data-mark='kept']").count() == 0


def test_a_reader_who_folds_a_panel_finds_it_folded(panels: Page) -> None:
    view = {"run": 1, "machine": machine.view_of(records()), "fair_play": None}
    view["fair_play"] = fair_play.view_of([record(), record(start=120.0)])
    draw(panels, view)
    assert panels.locator(".fair-play").get_attribute("data-fair") == "true"
    assert panels.locator(".fair-play").get_attribute("open") is None, "all is well"
    panels.locator(".machine > summary").click()
    uneven = fair_play.view_of([record(), record(start=120.0, engine__threads=1)])
    draw(panels, {**view, "run": 2, "fair_play": uneven})
    assert panels.locator(".machine").get_attribute("open") is None
    assert panels.locator(".fair-play").get_attribute("open") is not None, "marked where not"
    panels.locator(".fair-play > summary").click()
    draw(panels, {**view, "run": 3, "fair_play": None})
    draw(panels, {**view, "run": 3, "fair_play": uneven})
    assert panels.locator(".fair-play").get_attribute("open") is None


def test_a_panel_of_another_language_is_whole(browser: Browser) -> None:
    page = browser.new_page(locale="zh-CN")
    page.set_content("<div id='fair-play-root'></div><div id='machine-root'></div>")
    page.add_script_tag(content=f"{script_alone()}\n{static_text('fair_play.js', 'machine.js')}")
    told = {"machine": machine.view_of(records()), "fair_play": fair_play.view_of(records())}
    draw(page, {"run": 1, **told})
    words = page.inner_text("body")
    assert "公平性" in words
    assert "归还情况" in words
    assert "fair_play." not in words, "a text that is missing shows its key"
    assert "machine." not in words
    page.close()
