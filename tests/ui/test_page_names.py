"""What the page's styles and scripts rest on in Gradio's own elements, in a real browser.

Part of the contract with Gradio: run at the lowest, the pinned and the newest version.
"""

from __future__ import annotations

from playwright.sync_api import Page, expect

from comparator.ui.adapter import CLASS_NAMES
from tests.ui.conftest import Server, ask, reply, until, wait_for_state

CUT = """(labels) => [...document.querySelectorAll(labels)]
    .filter((n) => n.scrollHeight > n.clientHeight + 1 || n.scrollWidth > n.clientWidth + 1)
    .map((n) => n.textContent)"""
HEIGHTS = """[...document.querySelectorAll('#library-root tbody tr[data-id]')]
    .map((row) => row.offsetHeight)"""


def test_the_page_has_the_names_that_its_styles_rest_on(tab: Page) -> None:
    for name in CLASS_NAMES:
        assert tab.locator(name).count() > 0, name
    tab.click("#more > button")
    tab.wait_for_selector("#more > .open")
    expect(tab.locator("footer")).not_to_be_visible()
    tab.evaluate("document.body.classList.toggle('dark')")
    colour = "getComputedStyle(document.querySelector('#board-root')).getPropertyValue('--busy')"
    assert tab.evaluate(colour) == "#a5b4fc"


def test_no_label_is_cut(tab: Page) -> None:
    """A long name is whole in its list, in the library's table and over its answer."""
    name = "This is a model whose name is much too long for any field, Instruct v3 final"
    ask(tab, "go", name, "Quick")
    wait_for_state(tab, 0, "done")
    expect(tab.locator("#model-a .chosen-name")).to_have_text(name)
    for labels in ("#models .chosen-name", "#models [data-testid='block-info']", ".reply h2"):
        assert tab.evaluate(CUT, labels) == [], labels
    tab.get_by_role("tab", name="Library").click()
    row = tab.locator("#library-root tbody tr[data-id]", has_text=name)
    expect(row.locator("td.name")).to_have_text(name)
    for column in ("name", "engine", "quantisation"):
        assert tab.evaluate(CUT, f"#library-root td.{column} > span") == [], column
    assert set(tab.evaluate(HEIGHTS)) == {32}  # rows out of sight are counted by it


def test_what_events_carry_arrives_from_a_real_page(tab: Page, server: Server) -> None:
    ask(tab, "go", "Endless", "Endless")
    wait_for_state(tab, 0, "writing")
    reply(tab, 1).locator(".stop-column").click()
    wait_for_state(tab, 1, "stopped")
    assert reply(tab, 0).get_attribute("data-state") == "writing"
    tab.click("#stop")
    wait_for_state(tab, 0, "stopped")
    reply(tab, 1).locator(".retry-column").click()
    wait_for_state(tab, 1, "writing")
    tab.click("#stop")
    until(lambda: not server.runs())
