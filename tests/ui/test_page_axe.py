"""What axe-core finds on the page: nothing, on each tab, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import axe_playwright_python
import pytest
from cases import slow
from playwright.sync_api import Page, expect

from tests.ui.conftest import ask, wait_for_models, wait_for_state
from tests.ui.test_evaluate_tab import open_evaluate
from tests.ui.test_library_tab import open_library, press, row, select
from tests.ui.test_page_access import STILL

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  const where = (node) => `${node.target} ${node.html.slice(0, 120)}`;
  return found.violations.map((one) => `${one.id}: ${one.nodes.map(where).join("; ")}`);
}"""


def found(tab: Page) -> list[str]:
    """Return what axe finds on the page as it stands, once nothing moves any more."""
    if not tab.evaluate("Boolean(window.axe)"):
        tab.evaluate(AXE)
    tab.wait_for_function(STILL)
    return list(tab.evaluate(RUN))


@pytest.mark.parametrize(("mode", "width"), [("dark", 390), slow("light", 1280)])
def test_axe_finds_nothing(
    open_tab: Callable[..., Page], mode: Literal["light", "dark"], width: int
) -> None:
    tab = open_tab(color_scheme=mode, reduced_motion="reduce")
    tab.set_viewport_size({"width": width, "height": 844})
    wait_for_models(tab)
    assert found(tab) == [], "the page as it opens"
    tab.click("#help-open")
    assert found(tab) == [], "the list of shortcuts"
    tab.keyboard.press("Escape")
    tab.click("#more > button")
    tab.wait_for_selector("#more > .open")
    ask(tab, "hello", "Rich", "Failing", "Thinker")
    for slot, state in enumerate(("done", "failed", "done")):
        wait_for_state(tab, slot, state)
    tab.evaluate(
        "document.querySelectorAll('#board details').forEach((one) => { one.open = true; })"
    )
    tab.click(".vote-row [data-answer='tie']")
    expect(tab.locator(".vote-back")).to_be_visible()
    assert found(tab) == [], "answers, with all folds open"
    open_evaluate(tab)
    assert found(tab) == [], "where a suite comes from"
    tab.fill("#evaluate-text", "one\ntwo")
    tab.click("#evaluate-begin")
    expect(tab.locator(".evaluate-told")).to_contain_text("done")
    expect(tab.locator(".evaluate-pairs li")).to_have_count(3)
    tab.locator("#evaluate-cell-0-0").click()
    expect(tab.locator(".evaluate-answer")).to_be_visible()
    tab.locator("#ratings").scroll_into_view_if_needed()
    expect(tab.locator(".ratings-table").first).to_be_visible()
    assert found(tab) == [], "a suite, one of its answers, and the ratings"
    tab.click("#history-tab-button")
    tab.wait_for_selector("#history li")
    assert found(tab) == [], "the history"
    open_library(tab)
    row(tab, "Quick").click()
    expect(tab.locator("#library-detail h3")).to_have_text("Quick")
    select(tab, "Quick")
    press(tab, "remove")
    expect(tab.locator("#removal-question")).to_contain_text("frees")
    assert found(tab) == [], "the library, with a question"
    tab.click("#keep")
    tab.get_by_role("tab", name="Get models").click()
    expect(tab.locator("#hub-fetch")).to_be_visible()
    assert found(tab) == [], "the hub"


def test_axe_would_find_something(open_tab: Callable[..., Page]) -> None:
    tab = open_tab()
    tab.evaluate("document.querySelector('#prompt').insertAdjacentHTML('beforeend', '<img src=x>')")
    assert [one for one in found(tab) if one.startswith("image-alt")] != []
