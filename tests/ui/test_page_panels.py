"""The panels under the answers, on two engines: whether it was fair, and what it took."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from one_core import on_one_core
from playwright.sync_api import Page, expect

from tests.ui.conftest import Server, choose, start_server, wait_for_state

LONG_NAME = "This is a model whose name"
TYPED = "What does <|im_end|> mean?"


def run(tab: Page, prompt: str) -> None:
    """Ask the models that are chosen."""
    tab.fill("#prompt textarea", prompt)
    tab.press("#prompt textarea", "Enter")


@pytest.fixture(scope="module")
def two_engines(
    starter_models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A page on the starter models."""
    log = tmp_path_factory.mktemp("panels") / "log.txt"
    server = start_server(starter_models_dir, log, begin=on_one_core)
    try:
        yield server
    finally:
        assert server.end() == 143
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.native
def test_what_differed_and_what_the_machine_gave_stand_under_the_answers(
    open_tab: Callable[..., Page], two_engines: Server
) -> None:
    tab = open_tab(two_engines.url)
    choose(tab, "Q8_0", "PyTorch")
    tab.click("#more button")
    tab.fill("#context input", "16384")
    tab.fill("#max-tokens input", "4")
    run(tab, TYPED)
    for slot in range(2):
        wait_for_state(tab, slot, "done", 120)

    fair = tab.locator(".fair-play")
    expect(fair).to_have_attribute("open", "")
    expect(fair.locator(".verdict")).to_contain_text("2 settings were not taken as asked")
    expect(fair.locator("tr", has_text="Engine")).to_contain_text("by nature")
    expect(fair.locator("tr", has_text="Engine").locator("td")).to_have_count(2)
    slot = fair.locator(".fair-play-slot").first
    expect(slot.locator(".change")).to_have_text("n_ctx 16384 → 8192")
    slot.locator("summary").first.click()
    first = slot.locator("tbody tr").first
    expect(first).to_contain_text("8192 · this model's own limit")
    for rendered in fair.locator(".rendered").all():
        chips = rendered.locator(".token-chip").all_text_contents()
        assert chips == ["<|im_start|>", "<|im_end|>"] * 2 + ["<|im_start|>"]
        assert TYPED in rendered.text_content(), "what was typed is text"

    machine = tab.locator(".machine")
    expect(machine.locator("svg .band")).to_have_count(2)
    expect(machine.locator("svg")).to_have_attribute("aria-label", re.compile("at the most"))
    rows = machine.locator(".as-table tbody tr")
    expect(rows).to_have_count(2)
    for row in rows.all():
        assert row.locator("td").last.text_content().endswith("· 0 bytes"), "it falls to its line"
    expect(machine.locator(".figure-block")).to_have_count(6)
    given_back = machine.locator(".given-back li")
    expect(given_back).to_have_count(2)
    for line in given_back.all():
        expect(line).to_contain_text("given back")


def test_a_fair_comparison_is_folded_and_a_reader_who_opens_it_is_obeyed(tab: Page) -> None:
    choose(tab, "Quick", LONG_NAME)
    run(tab, "hello there")
    for slot in range(2):
        wait_for_state(tab, slot, "done")
    fair = tab.locator(".fair-play")
    fair_before = fair.get_attribute("data-fair")
    assert (fair.get_attribute("open") is None) == (fair_before == "true")
    is_open = fair.get_attribute("open") is not None
    fair.locator("summary").first.click()
    run(tab, "once more")
    for slot in range(2):
        wait_for_state(tab, slot, "done")
    expect(fair.locator(".rendered").first).to_contain_text("once more")
    assert (fair.get_attribute("open") is not None) != is_open


def test_a_prompt_that_does_not_fit_is_said_before_it_is_asked_and_refused_at_once(
    tab: Page,
) -> None:
    choose(tab, "Quick", LONG_NAME)
    tab.click("#more button")
    tab.fill("#context input", "256")
    tab.fill("#prompt textarea", "word " * 300)
    tab.focus("#system-prompt textarea, #system-prompt input")
    said = tab.locator("#fits .misfit")
    expect(said).to_have_count(2)
    expect(said.first).to_contain_text("A The prompt has 300 tokens; Quick takes 256.")
    tab.fill("#prompt textarea", "word")
    tab.focus("#system-prompt textarea, #system-prompt input")
    expect(said).to_have_count(0)
    run(tab, "word " * 300)
    for slot in range(2):
        wait_for_state(tab, slot, "failed")
    expect(tab.locator(".reply .error").first).to_contain_text("The prompt has 300 tokens")
