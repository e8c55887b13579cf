"""Shortcuts and their list, the skip link, and the sign that a long run is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import ask, reply, wait_for_models, wait_for_state

LISTED = """[...document.querySelectorAll('#help dl > div')].map((pair) =>
    [...pair.querySelectorAll('kbd')].map((key) => key.textContent).join(' '))"""
# Makes the clock of the page run a minute ahead, and counts notes instead of playing them.
LATER = """() => {
  const now = performance.now.bind(performance);
  performance.now = () => now() + 60_000;
  const real = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () {
    window.notes = (window.notes ?? 0) + 1;
    return real.call(this);
  };
}"""
AHEAD = LATER.split("const real")[0] + "}"
COUNT_STOPS = """() => {
  window.stops = 0;
  const stop = document.querySelector('button#stop, #stop button');
  stop.addEventListener('click', () => { window.stops += 1; });
}"""
BLUR = "document.activeElement.blur()"


def focused(tab: Page, selector: str) -> None:
    """Wait until an element has the focus."""
    expect(tab.locator(selector)).to_be_focused()


def test_keys_lead_through_the_page_and_are_listed(tab: Page) -> None:
    ask(tab, "go", "Quick", "Long")
    wait_for_state(tab, 1, "done")
    tab.evaluate(BLUR)
    tab.keyboard.press("2")
    focused(tab, ".reply[data-slot='1'] .answer")
    tab.keyboard.press("/")
    focused(tab, "#prompt textarea")
    tab.keyboard.type("n2/?")
    assert tab.input_value("#prompt textarea").endswith("n2/?"), "keys are letters while one types"
    tab.evaluate(BLUR)
    tab.keyboard.press("n")
    expect(tab.get_by_role("tab", name="Evaluate")).to_have_attribute("aria-selected", "true")
    tab.keyboard.press("p")
    expect(tab.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    tab.locator(".reply[data-slot='0'] .answer").focus()
    tab.keyboard.press("?")
    expect(tab.locator("#help")).to_be_visible()
    votes = ["a b c d", "0", "x"]
    going = ["Enter", "Shift Enter", "Esc", "/", "1 2 3 4"]
    assert tab.evaluate(LISTED) == [*going, *votes, "n", "p", "?"]
    tab.keyboard.press("2")
    expect(tab.locator("#help")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#help")).not_to_be_visible()
    focused(tab, ".reply[data-slot='0'] .answer")


def test_escape_closes_the_help_and_does_not_also_stop_the_run(tab: Page) -> None:
    ask(tab, "go", "Loading")
    wait_for_state(tab, 0, "loading")
    tab.evaluate(COUNT_STOPS)
    tab.click("#help-open")
    expect(tab.locator("#help")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#help")).not_to_be_visible()
    assert tab.evaluate("window.stops") == 0
    tab.keyboard.press("Escape")
    wait_for_state(tab, 0, "stopped")


@pytest.mark.slow
def test_single_keys_can_be_switched_off_and_stay_so(tab: Page) -> None:
    tab.click("#help-open")
    tab.uncheck("#help-keys")
    tab.click("#help-close")
    focused(tab, "#help-open")
    tab.keyboard.press("?")
    expect(tab.locator("#help")).not_to_be_visible()
    tab.reload()
    wait_for_models(tab)
    tab.click("#help-open")
    expect(tab.locator("#help-keys")).not_to_be_checked()


def test_the_first_stop_of_the_tab_key_leads_to_the_question(tab: Page) -> None:
    tab.get_by_role("tab", name="Library").click()
    tab.evaluate(f"{BLUR}; document.querySelector('.skip').focus()")
    expect(tab.locator(".skip")).to_be_in_viewport()
    tab.keyboard.press("Enter")
    focused(tab, "#prompt textarea")
    first = "document.querySelector('a[href], button, input, textarea')?.className"
    assert "skip" in tab.evaluate(first)


def test_a_long_run_that_is_done_is_told_to_who_wants_it(open_tab: Callable[..., Page]) -> None:
    tab = open_tab()
    wait_for_models(tab)
    usual = tab.title()
    run_long(tab, True)
    assert tab.title() == usual, "not before somebody has asked for it"
    tab.click("#help-open")
    tab.check("#help-notify")
    tab.click("#help-close")
    run_long(tab)
    tab.wait_for_function("document.title.startsWith('Done · ')")
    assert tab.evaluate("window.notes") == 2
    tab.keyboard.press("Shift")
    assert tab.title() == usual


def run_long(tab: Page, first: bool = False) -> None:
    """Run something that takes a minute by the page's clock."""
    ask(tab, "go", "Endless")
    wait_for_state(tab, 0, "writing")
    tab.evaluate(LATER if first else AHEAD)
    reply(tab, 0).locator(".stop-column").click()
    wait_for_state(tab, 0, "stopped")
    tab.wait_for_selector("body:not(.comparing)")
