"""The History tab in a browser: what is kept, found, opened, asked again, pinned and deleted."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.ui.conftest import (
    Server,
    ask,
    reply,
    until,
    wait_for_models,
    wait_for_state,
)


def open_history(tab: Page) -> None:
    """Go to the tab."""
    tab.locator("#tabs button[role=tab]", has_text="History").first.click()


def test_a_comparison_from_its_end_to_its_deletion(tab: Page) -> None:
    word = secrets.token_hex(6)
    ask(tab, f"苹果 {word} <img src=x onerror=alert(1)>", "Quick", "Crash")
    wait_for_state(tab, 0, "done")
    wait_for_state(tab, 1, "failed")
    figures = reply(tab, 0).locator(".numbers").inner_text()
    assert "Tokens" in figures
    open_history(tab)
    tab.fill("#history input[type=search]", f"苹果 {word}")
    row = tab.locator(".history-row", has_text=word)
    expect(row).to_have_count(1)
    expect(tab.locator(".history-row")).to_have_count(1)
    expect(row.locator(".history-column")).to_have_count(2)
    assert row.locator("img").count() == 0

    row.get_by_role("button", name="Pin", exact=True).press("Enter")
    expect(row).to_have_attribute("data-pinned", "true")
    expect(row.locator("[data-act=pin]")).to_be_focused()

    ask_box = tab.locator("#prompt textarea")
    row.locator(".history-question").click()
    expect(ask_box).to_have_value(f"苹果 {word} <img src=x onerror=alert(1)>")
    wait_for_state(tab, 0, "done")
    wait_for_state(tab, 1, "failed")
    expect(reply(tab, 0).locator(".answer")).to_contain_text(word)
    assert reply(tab, 0).locator(".numbers").inner_text() == figures

    open_history(tab)  # the search still stands there
    expect(tab.locator(".history-row")).to_have_count(1)
    row.get_by_role("button", name="Ask again").click()
    expect(ask_box).to_be_visible()
    wait_for_state(tab, 0, "done")
    wait_for_state(tab, 1, "failed")
    open_history(tab)
    expect(tab.locator(".history-row")).to_have_count(2)

    newest = tab.locator(".history-row").first
    newest.get_by_role("button", name="Delete", exact=True).click()
    expect(newest.get_by_role("button", name="Keep it")).to_be_focused()
    newest.get_by_role("button", name="Keep it").click()
    expect(newest.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    newest.get_by_role("button", name="Delete", exact=True).click()
    newest.get_by_role("button", name="Delete it").click()
    expect(tab.locator(".history-row")).to_have_count(1)
    expect(row).to_have_attribute("data-pinned", "true")


def test_what_ran_when_its_tab_was_closed_is_found_by_the_next(
    open_tab: Callable[..., Page], server: Server
) -> None:
    word = secrets.token_hex(6)
    closed = open_tab()
    wait_for_models(closed)
    ask(closed, f"endless {word}", "Endless")
    wait_for_state(closed, 0, "writing")
    closed.close()
    until(lambda: not server.runs())
    tab = open_tab()

    def found() -> bool:
        open_history(tab)
        tab.fill("#history input[type=search]", f"{word} ")
        tab.fill("#history input[type=search]", word)
        row = tab.locator(".history-row", has_text=word)
        row.or_(tab.locator(".history-empty p")).first.wait_for()
        return row.count() == 1

    until(found)
    row = tab.locator(".history-row", has_text=word)
    expect(row.locator(".history-column")).to_have_attribute("data-state", "stopped")
    row.locator(".history-question").click()
    wait_for_state(tab, 0, "stopped")
    expect(reply(tab, 0)).to_contain_text("word word")
