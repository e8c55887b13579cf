"""Several visitors: the line, everyone's place in it, and whose answers are whose."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import Server, ask, reply, until, wait_for_state


def test_the_second_tab_waits_in_line_and_then_runs(
    open_tab: Callable[..., Page], server: Server
) -> None:
    first, second, third = open_tab(), open_tab(), open_tab()
    ask(first, "mine", "Endless")
    wait_for_state(first, 0, "writing")
    ask(second, "theirs", "Quick")
    expect(second.locator(".board-note")).to_have_text("You are number 1 in line.")
    ask(third, "ours", "Quick")
    expect(third.locator(".board-note")).to_have_text("You are number 2 in line.")
    expect(reply(third, 0).locator(".state")).to_have_text("waiting, number 2 in line")
    assert len(server.runs()) == 1
    first.click("#stop")
    wait_for_state(second, 0, "done")
    wait_for_state(third, 0, "done")
    expect(reply(second, 0).locator(".answer .markdown")).to_have_text("theirs")
    expect(reply(third, 0).locator(".answer .markdown")).to_have_text("ours")
    expect(second.locator(".board-note")).to_have_text("")


@pytest.mark.slow
def test_stop_leaves_the_others_alone(open_tab: Callable[..., Page]) -> None:
    first, second = open_tab(), open_tab()
    ask(first, "go", "Endless")
    wait_for_state(first, 0, "writing")
    ask(second, "go", "Quick")
    expect(second.locator(".board-note")).to_have_text("You are number 1 in line.")
    second.keyboard.press("Escape")
    wait_for_state(second, 0, "stopped")
    expect(reply(first, 0)).to_have_attribute("data-state", "writing")
    first.click("#stop")
    wait_for_state(first, 0, "stopped")


@pytest.mark.slow
def test_a_closed_tab_gives_its_place_in_line_away(open_tab: Callable[..., Page]) -> None:
    first, second, third = open_tab(), open_tab(), open_tab()
    ask(first, "go", "Endless")
    wait_for_state(first, 0, "writing")
    ask(second, "go", "Quick")
    expect(second.locator(".board-note")).to_have_text("You are number 1 in line.")
    ask(third, "go", "Quick")
    expect(third.locator(".board-note")).to_have_text("You are number 2 in line.")
    second.close()
    expect(third.locator(".board-note")).to_have_text("You are number 1 in line.")
    first.close()
    wait_for_state(third, 0, "done")


@pytest.mark.slow
def test_twenty_clicks_are_one_run(tab: Page, server: Server) -> None:
    ask(tab, "go", "Endless")
    for _ in range(20):
        tab.click("#run", force=True)  # it says that it is out of use, and is harmless
    until(server.runs)
    wait_for_state(tab, 0, "writing")
    assert len(server.runs()) == 1
    tab.click("#stop")
    wait_for_state(tab, 0, "stopped")
