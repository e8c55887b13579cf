"""Retry: one click runs a column again, and nothing runs again without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import MODELS, Server, ask, reply, wait_for_state


def test_a_failed_column_runs_again_and_the_others_keep_their_answers(
    tab: Page, echo_models_dir: Path
) -> None:
    file = echo_models_dir / "Mended.echo.json"
    file.write_text(json.dumps(MODELS["Mended"]))
    tab.fill("#seed input, #seed textarea", "7")
    ask(tab, "the first question", "Quick", "Mended", "Quick")
    wait_for_state(tab, 1, "failed")
    wait_for_state(tab, 2, "done")
    expect(reply(tab, 1).locator(".answer .markdown")).to_have_text("answer ")
    tab.fill("#prompt textarea", "another question that is not asked")
    tab.fill("#seed input, #seed textarea", "8")
    file.write_text(json.dumps({"text": "answer at last"}))
    reply(tab, 1).locator(".retry-column").click()
    wait_for_state(tab, 1, "done")
    expect(reply(tab, 1).locator(".answer .markdown")).to_have_text("answer at last")
    expect(reply(tab, 1).locator(".error")).to_be_empty()
    expect(reply(tab, 1).locator(".retry-column")).not_to_be_visible()
    reply(tab, 1).locator("summary").first.click()
    expect(reply(tab, 1).locator("details").first).to_contain_text("seed = 7")
    expect(reply(tab, 1).locator("details").first).to_contain_text("the first question")
    for slot in (0, 2):
        expect(reply(tab, slot).locator(".answer .markdown")).to_have_text("the first question")
        expect(reply(tab, slot)).to_have_attribute("data-state", "done")


def test_a_stopped_column_runs_again_and_stops_again(tab: Page, server: Server) -> None:
    ask(tab, "two words", "Quick", "Endless")
    wait_for_state(tab, 1, "writing")
    reply(tab, 1).locator(".stop-column").click()
    wait_for_state(tab, 1, "stopped")
    reply(tab, 1).locator(".retry-column").click()
    wait_for_state(tab, 1, "writing")
    expect(reply(tab, 1)).to_have_attribute("data-attempt", "1")
    assert len(server.runs()) == 1
    reply(tab, 1).locator(".stop-column").click()
    wait_for_state(tab, 1, "stopped")
    expect(reply(tab, 0)).to_have_attribute("data-state", "done")


def test_a_retry_while_something_runs_is_refused_in_words(tab: Page, server: Server) -> None:
    ask(tab, "two words", "Failing", "Endless")
    wait_for_state(tab, 0, "failed")
    wait_for_state(tab, 1, "writing")
    reply(tab, 0).locator(".retry-column").click()
    expect(tab.locator(".toast-body, .toast-wrap").first).to_contain_text("still running")
    expect(reply(tab, 0)).to_have_attribute("data-state", "failed")
    expect(reply(tab, 1)).to_have_attribute("data-state", "writing")
    assert len(server.runs()) == 1
    tab.click("#stop")
    wait_for_state(tab, 1, "stopped")


@pytest.mark.slow
def test_a_retry_waits_in_line_like_any_other(open_tab: Callable[..., Page]) -> None:
    first, second = open_tab(), open_tab()
    ask(second, "two words", "Failing")
    wait_for_state(second, 0, "failed")
    ask(first, "go", "Endless")
    wait_for_state(first, 0, "writing")
    reply(second, 0).locator(".retry-column").click()
    expect(second.locator(".board-note")).to_have_text("You are number 1 in line.")
    expect(reply(second, 0).locator(".state")).to_have_text("waiting, number 1 in line")
    second.keyboard.press("Escape")
    wait_for_state(second, 0, "stopped")
    expect(reply(first, 0)).to_have_attribute("data-state", "writing")
    first.click("#stop")
    wait_for_state(first, 0, "stopped")


@pytest.mark.slow
def test_a_model_that_crashed_three_times_has_to_wait(tab: Page) -> None:
    ask(tab, "three little words", "Repeatedly broken", "Quick")
    wait_for_state(tab, 1, "done")
    for _ in range(2):
        expect(reply(tab, 0).locator(".error")).to_contain_text("SIGSEGV")
        _retry_to_the_end(tab)
    expect(reply(tab, 0).locator(".error")).to_contain_text("SIGSEGV")
    _retry_to_the_end(tab)
    expect(reply(tab, 0).locator(".error")).to_contain_text("failed 3 times in a row")
    expect(reply(tab, 1).locator(".answer .markdown")).to_have_text("three little words")


def _retry_to_the_end(tab: Page) -> None:
    """Retry the first column and wait until its next attempt has ended."""
    attempt = int(reply(tab, 0).get_attribute("data-attempt") or 0) + 1
    tab.wait_for_selector("body:not(.comparing)")
    reply(tab, 0).locator(".retry-column").click()
    tab.wait_for_selector(f".reply[data-attempt='{attempt}'][data-state='failed']")
