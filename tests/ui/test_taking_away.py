"""Taking a comparison away from the page, and the web page that is taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from comparator.comparison.card import card_in
from tests.ui.conftest import ask, wait_for_state

# What a screen reader and a keyboard need of a page, as far as its elements tell.
AUDIT = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (node) => node.getAttribute("aria-label")
    || document.getElementById(node.getAttribute("aria-labelledby"))?.textContent;
  const levels = all("h1, h2, h3, h4").map((node) => Number(node.tagName[1]));
  return {
    unnamed: all("[tabindex], section, article").filter((node) => !named(node)).length,
    skipped: levels.filter((level, n) => n && level > levels[n - 1] + 1).length,
    titles: levels.filter((level) => level === 1).length,
    loose: all("th:not([scope])").length,
    twice: all("[id]").length - new Set(all("[id]").map((node) => node.id)).size,
    summaries: all("summary").filter((node) => !node.textContent.trim()).length,
    too_wide: document.scrollingElement.scrollWidth - innerWidth,
  };
}"""
NOTHING_WRONG = {
    "unnamed": 0, "skipped": 0, "titles": 1, "loose": 0, "twice": 0, "summaries": 0, "too_wide": 0,
}  # fmt: skip


def test_a_comparison_is_taken_away_by_keyboard_as_a_page_that_asks_for_nothing(
    tab: Page, browser: Browser, tmp_path: Path
) -> None:
    tab.fill("#seed input, #seed textarea", "7")
    ask(tab, "=1+1 <b>why</b>", "Hostile", "Hostile")
    for slot in range(2):
        wait_for_state(tab, slot, "done")
    menu = tab.locator("#export-root .export")
    expect(menu).to_be_visible()
    badge = menu.locator(".export-badges li")
    expect(badge).to_have_text("Same seed twice here: identical (A and B)")
    choice = menu.get_by_label("Take it away as")
    choice.focus()
    with tab.expect_download() as waiting:
        choice.press("Tab")
        tab.keyboard.press("Enter")
    download = waiting.value
    assert download.url.startswith("blob:")
    assert download.suggested_filename.startswith("comparison-")
    assert download.suggested_filename.endswith(".html")
    expect(menu.get_by_role("status")).to_contain_text(download.suggested_filename)
    page = tmp_path / "page.html"
    download.save_as(page)
    _look_at(browser, page)

    choice.select_option("card")
    with tab.expect_download() as waiting:
        menu.get_by_role("button", name="Download").click()
    card = card_in(Path(waiting.value.path()).read_bytes(), "it")
    assert [slot.config["seed"] for slot in card.slots] == [7, 7]
    assert card.slots[0].messages[0].content == "=1+1 <b>why</b>"


def _look_at(browser: Browser, page: Path) -> None:
    """Open a page from its file without a network, in two languages, wide and narrow."""
    for locale, width, scheme, heading in (
        ("en-GB", 1440, "light", "Comparison of language models"),
        ("zh-CN", 390, "dark", "语言模型对比"),
    ):
        context = browser.new_context(
            offline=True,
            locale=locale,
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
        )
        tab, asked, complaints = context.new_page(), [], []
        tab.on("request", lambda request, asked=asked: asked.append(request.url))
        tab.on("console", lambda message, said=complaints: said.append(message.text))
        tab.goto(page.as_uri())
        expect(tab.get_by_role("heading", level=1)).to_have_text(heading)
        assert tab.evaluate(AUDIT) == NOTHING_WRONG
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("pre.answer").first.inner_text().startswith("# Hostile")
        fold = tab.locator("details").first
        fold.locator("summary").focus()
        tab.keyboard.press("Enter")
        expect(fold).to_have_attribute("open", "")
        assert (asked, complaints) == ([page.as_uri()], [])
        context.close()


def test_a_text_is_copied_or_shown_where_there_is_no_clipboard(
    open_tab: Callable[..., Page],
) -> None:
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    ask(tab, "two words", "Quick")
    wait_for_state(tab, 0, "done")
    menu = tab.locator("#export-root .export")
    choice, copy = menu.get_by_label("Take it away as"), menu.get_by_role("button", name="Copy")
    choice.select_option("json")
    copy.click()
    expect(menu.get_by_role("status")).to_have_text("It is in the clipboard.")
    (record,) = json.loads(tab.evaluate("navigator.clipboard.readText()"))
    assert record["content"] == "two words"
    assert choice.locator("option[value=pair]").is_disabled()

    tab.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    choice.select_option("md")
    copy.click()
    dialog = tab.get_by_role("dialog")
    expect(dialog.locator("textarea")).to_have_value(re.compile("^# Comparison "))
    assert tab.evaluate("getSelection().toString()").startswith("# Comparison ")
    tab.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_comparison_is_taken_away_from_the_history(tab: Page) -> None:
    ask(tab, "kept words", "Quick")
    wait_for_state(tab, 0, "done")
    expect(tab.locator("#export-root .export")).to_be_visible()
    tab.get_by_role("tab", name="History").click()
    row = tab.locator(".history-row").filter(has_text="kept words").first
    button = row.get_by_role("button", name="Take away")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    row.locator("select").select_option("md")
    with tab.expect_download() as waiting:
        row.get_by_role("button", name="Download").click()
    assert waiting.value.suggested_filename == f"comparison-{row.get_attribute('data-id')}.md"
    assert "kept words" in Path(waiting.value.path()).read_text("utf-8")
    button.click()
    expect(row.locator("select")).to_have_count(0)
