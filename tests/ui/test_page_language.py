"""The page in the languages that it knows, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import ask, wait_for_models, wait_for_state
from tests.ui.test_library_tab import open_library, row, select

SIZES = {1440: 900, 1024: 768, 390: 844}
# Elements with a text of their own that is cut at their right end, or at their bottom.
CUT = """() => {
  // Whether an element that shows no more than fits into it ends before this one.
  const isBeyond = (node, box) => {
    for (let outer = node.parentElement; outer; outer = outer.parentElement) {
      const shown = getComputedStyle(outer).overflowX;
      if (["auto", "scroll"].includes(shown)) return false;
      const edge = outer.getBoundingClientRect();
      if (["hidden", "clip"].includes(shown) && box.right > edge.right + 1) return true;
    }
    return false;
  };
  const UNSEEN = ".unseen, .visually-hidden, .skip, script, style, option";
  const cut = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    const box = node.getBoundingClientRect();
    if (!own || !box.width || !box.height || node.closest(UNSEEN)) continue;
    if (!node.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })) continue;
    const style = getComputedStyle(node);
    if (style.display === "inline" || ["auto", "scroll"].includes(style.overflowX)) continue;
    if (node.scrollWidth <= node.clientWidth + 1 && !isBeyond(node, box)) continue;
    cut.push(`${node.className}: ${node.textContent.trim()}`);
  }
  return cut;
}"""
# Two frames later what a window's new size has changed is drawn.
SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def cut(tab: Page) -> dict[int, list[str]]:
    """Return what is cut off, by the width of the window."""
    found = {}
    for width, height in SIZES.items():
        tab.set_viewport_size({"width": width, "height": height})
        tab.evaluate(SETTLED)
        found[width] = tab.evaluate(CUT)
    return {width: texts for width, texts in found.items() if texts}


def test_no_chinese_text_is_cut_at_any_width(open_tab: Callable[..., Page]) -> None:
    tab = open_tab(locale="zh-CN")
    ask(tab, "你好", "Quick", "Failing")
    wait_for_state(tab, 1, "failed")
    assert cut(tab) == {}
    tab.click("#help-open")
    expect(tab.locator("#help")).to_contain_text("快捷键")
    assert cut(tab) == {}
    tab.keyboard.press("Escape")
    go_to(tab, "模型库")
    tab.wait_for_function("/个模型$/.test(document.querySelector('.library-count').textContent)")
    row(tab, "Quick").click()
    expect(tab.locator("#library-detail dt").last).to_have_text("位置")
    select(tab, "Quick")
    tab.click("[data-action='remove']")
    expect(tab.locator("#removal-question")).to_contain_text("释放")
    assert cut(tab) == {}
    tab.click("#keep")
    go_to(tab, "获取模型")
    expect(tab.locator("#hub-fetch")).to_have_text("下载")
    assert cut(tab) == {}


def go_to(tab: Page, name: str) -> None:
    tab.get_by_role("tab", name=name).click()


def test_the_browser_s_language_is_the_page_s(open_tab: Callable[..., Page]) -> None:
    spoken = {"zh-TW": ("zh-CN", "模型库"), "fr-FR": ("en", "Library")}
    for locale, (language, library) in spoken.items():
        tab = open_tab(locale=locale)
        expect(tab.get_by_role("tab", name=library)).to_be_visible()
        tab.wait_for_function("(lang) => document.documentElement.lang === lang", arg=language)
        tagline = tab.locator(".heading p").inner_text()
        assert tagline.startswith("一个提示词" if language == "zh-CN" else "One prompt")
        tab.close()


def test_what_the_server_words_later_is_in_the_browser_s_language(
    open_tab: Callable[..., Page],
) -> None:
    tab = open_tab(locale="zh-CN")
    wait_for_models(tab)
    go_to(tab, "模型库")
    select(tab, "Novel")
    tab.click("[data-action='remove']")
    question = tab.locator("#removal-question p").first
    expect(question).to_have_text("删除 Novel？将删除 1 个文件，释放 113 bytes。")
    tab.click("#keep")
    tab.fill(".library-search", "充足")
    tab.wait_for_function(
        "document.querySelector('.library-count').textContent.includes('/') === false"
    )
    tab.fill(".library-search", "no such model")
    expect(tab.locator(".library-frame .hint")).to_contain_text("没有符合条件的模型")
    tab.fill(".library-search", "")


@pytest.mark.slow
def test_an_english_page_says_what_it_said_before(open_tab: Callable[..., Page]) -> None:
    tab = open_tab(locale="en-US")
    wait_for_models(tab)
    open_library(tab)
    heads = tab.locator("#library-root thead th").all_inner_texts()
    assert [words for words in heads if words][:4] == ["Selected", "Name", "Engine", "Family"]
    select(tab, "Novel")
    tab.click("[data-action='remove']")
    expect(tab.locator("#removal-question p").first).to_have_text(
        "Remove Novel? This deletes 1 file and frees 113 bytes."
    )
    tab.click("#keep")
