"""The report of a suite, opened from its file in a browser without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from kept_suites import hostile_suite, item, judged, kept_suite
from playwright.sync_api import Browser, Page, expect

from comparator.evaluation.report import written
from tests.ui.test_page_axe import found
from tests.ui.test_taking_away import AUDIT, NOTHING_WRONG

FATES = ((True, False, None, True, True, False), (True, True, "", False, True, False))


@pytest.mark.parametrize(
    ("locale", "width", "scheme", "heading"),
    [("en-GB", 1280, "light", "Suite of prompts"), ("zh-CN", 390, "dark", "语言模型测试集")],
)
def test_a_report_is_read_without_a_network_by_eyes_keyboard_and_screen_reader(
    browser: Browser,
    tmp_path: Path,
    locale: str,
    width: int,
    scheme: Literal["light", "dark"],
    heading: str,
) -> None:
    asked = [item(n, "中国的首都是哪里？" if n == 3 else "") for n in range(6)]
    tab, asked_for, complaints = _opened(
        browser, judged(kept_suite(FATES, items=asked)), tmp_path, locale, width, scheme
    )
    expect(tab.get_by_role("heading", level=1)).to_contain_text(heading)
    assert tab.evaluate(AUDIT) == NOTHING_WRONG
    folds = tab.locator("details.prompt")
    expect(folds).to_have_count(6)
    fold = folds.nth(1)
    assert fold.get_attribute("open") is None
    fold.locator("summary").first.focus()
    tab.keyboard.press("Enter")
    expect(fold).to_have_attribute("open", "")
    expect(fold.locator("pre.answer").first).to_be_visible()
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    expect(fold.locator("ins").first).to_be_visible()
    assert found(tab) == []
    assert (asked_for, complaints) == ([(tmp_path / "report.html").as_uri()], [])
    tab.context.close()


def test_a_report_shows_where_models_differ_and_what_is_searched_for(
    browser: Browser, tmp_path: Path
) -> None:
    tab, _, complaints = _opened(browser, kept_suite(FATES), tmp_path)
    rows = tab.locator("table.matrix tbody tr").filter(visible=True)
    expect(rows).to_have_count(6)
    tab.locator("#show-all").focus()
    tab.keyboard.press("ArrowRight")
    expect(rows).to_have_count(2)
    expect(tab.locator("details.prompt").filter(visible=True)).to_have_count(2)
    tab.locator("#show-all").check()
    tab.get_by_role("searchbox").fill("no: 0.5.0")
    expect(rows).to_have_count(1)
    expect(tab.locator(".search output")).to_have_text("1")
    rows.get_by_role("link").click()
    expect(tab.locator("#prompt-5")).to_be_visible()
    assert complaints == []
    tab.context.close()


def test_nothing_that_a_model_wrote_runs_or_is_fetched(browser: Browser, tmp_path: Path) -> None:
    tab, asked_for, complaints = _opened(browser, hostile_suite(), tmp_path)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img, iframe, form, u, s, b").count() == 0
    expect(tab.locator("pre.answer").first).to_contain_text("<script>window.hacked = 1</script>")
    assert (asked_for, complaints) == ([(tmp_path / "report.html").as_uri()], [])
    tab.context.close()


def _opened(
    browser: Browser,
    kept: object,
    folder: Path,
    locale: str = "en-GB",
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
) -> tuple[Page, list[str], list[str]]:
    """Open a report from its file; return it, what it asks for, and what the browser says."""
    file = folder / "report.html"
    file.write_bytes(written(kept, ".html"))
    context = browser.new_context(
        offline=True,
        locale=locale,
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
    )
    tab = context.new_page()
    asked_for: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked_for.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(file.as_uri())
    return tab, asked_for, complaints
