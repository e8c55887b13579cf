"""The page by keyboard, by ear and for weak eyes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import slow
from playwright.sync_api import Page, expect

from tests.ui.conftest import Server, ask, choose, reply, wait_for_models, wait_for_state

STILL = "!document.getAnimations().some((a) => a.playState === 'running')"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
CONTROLS = {"button", "checkbox", "combobox", "spinbutton", "textbox", "link", "progressbar"}
FOCUSED = """() => {
  const node = document.activeElement, style = getComputedStyle(node);
  const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return [node.id || node.closest('[id]')?.id || node.tagName, seen];
}"""


def _controls(tab: Page) -> list[tuple[str, str]]:
    """Return role and name of every control, as a screen reader is told of them."""
    nodes = tab.context.new_cdp_session(tab).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in CONTROLS
    ]


def test_every_control_has_a_name(tab: Page) -> None:
    tab.click("#more button")
    ask(tab, "hello", "Quick", "Failing")
    wait_for_state(tab, 1, "failed")
    controls = _controls(tab)
    assert [role for role, name in controls if not name.strip()] == []
    names = {name for _role, name in controls}
    assert {"Model A", "Prompt", "Temperature", "Seed", "Greedy", "Run", "Stop"} <= names
    assert {"Retry Failing", "Plain text", "Refresh"} <= names


def test_the_keyboard_reaches_everything_and_is_seen(tab: Page) -> None:
    wait_for_models(tab)
    tab.click("h1")
    reached: list[tuple[str, bool]] = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        reached.append(tuple(tab.evaluate(FOCUSED)))  # type: ignore[arg-type]
    unseen = {name for name, seen in reached if not seen and name != "BODY"}
    assert unseen == set()
    wanted = {
        "model-a",
        "model-b",
        "own-b-root",
        "add-slot",
        "refresh",
        "prompt",
        "system-prompt",
        "temperature",
        "run",
    }
    assert wanted | {"stop", "more", "board-root"} <= {name for name, _seen in reached}


def test_a_model_is_chosen_and_asked_by_keyboard_alone(tab: Page) -> None:
    choose(tab, "Quick")
    tab.focus("#model-b input")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("Lon")
    expect(tab.locator("ul[role=listbox] li")).to_contain_text(["Long · Echo"])
    tab.keyboard.press("Enter")
    expect(tab.locator("#model-b .chosen-name")).to_have_text("Long")
    tab.focus("#prompt textarea")
    tab.keyboard.type("hello")
    tab.keyboard.press("Enter")
    wait_for_state(tab, 1, "done")


def test_states_are_said_politely(tab: Page) -> None:
    ask(tab, "hello", "Quick", "Failing")
    wait_for_state(tab, 1, "failed")
    spoken = tab.locator("#board-root .unseen[role=status]")
    expect(spoken).to_contain_text("Failing: failed.")
    expect(spoken).to_contain_text("told to fail")
    assert tab.locator("#board-root [aria-live=assertive], .reply [role=alert]").count() == 0


def test_stop_and_run_say_when_they_are_out_of_use(tab: Page) -> None:
    expect(tab.locator("#stop")).to_have_attribute("aria-disabled", "true")
    ask(tab, "go", "Endless")
    wait_for_state(tab, 0, "writing")
    expect(tab.locator("#run")).to_have_attribute("aria-disabled", "true")
    expect(tab.locator("#stop")).to_have_attribute("aria-disabled", "false")
    tab.keyboard.press("Escape")
    wait_for_state(tab, 0, "stopped")


def test_the_keyboard_stays_in_a_column_that_is_stopped_and_retried(tab: Page) -> None:
    ask(tab, "go", "Endless")
    wait_for_state(tab, 0, "writing")
    reply(tab, 0).locator(".stop-column").press("Enter")
    wait_for_state(tab, 0, "stopped")
    expect(reply(tab, 0).locator(".retry-column")).to_be_focused()
    tab.keyboard.press("Enter")
    wait_for_state(tab, 0, "writing")
    expect(reply(tab, 0).locator(".stop-column")).to_be_focused()
    tab.keyboard.press("Escape")
    wait_for_state(tab, 0, "stopped")


@pytest.mark.parametrize("mode", ["light", slow("dark")])  # axe sees the dark one
def test_text_stands_out_from_its_background(
    open_tab: Callable[..., Page], server: Server, mode: Any
) -> None:
    tab = open_tab(color_scheme=mode, reduced_motion="reduce")
    wait_for_models(tab)
    tab.wait_for_function(STILL)
    assert tab.evaluate(CONTRAST) == []
    tab.click("#more button")
    ask(
        tab, "Some `code` and a [link](https://example.org)\n\n> quoted", "Quick", "Failing", "Rich"
    )
    wait_for_state(tab, 1, "failed")
    wait_for_state(tab, 2, "done")
    tab.click("#unusable summary")
    reply(tab, 0).locator("summary").first.click()
    tab.wait_for_function(STILL)
    assert tab.evaluate(CONTRAST) == []
