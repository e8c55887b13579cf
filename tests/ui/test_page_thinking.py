"""What a model thinks is folded above its answer, and never part of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import reasoning_model
from playwright.sync_api import Browser, Page, expect

from tests.ui.conftest import (
    PATIENCE_SECONDS,
    ask,
    choose,
    reply,
    start_server,
    wait_for_models,
    wait_for_state,
)


def test_a_thought_is_folded_with_its_figures_and_the_answer_stands_alone(tab: Page) -> None:
    ask(tab, "How many?", "Thinker", "Quick")
    wait_for_state(tab, 0, "done")
    wait_for_state(tab, 1, "done")
    column = reply(tab, 0)
    expect(column.locator(".answer .markdown")).to_have_text("The answer is 7.")
    expect(column.locator(".answer em")).to_have_text("answer")
    assert column.locator(".plain").text_content() == "The *answer* is **7**."
    fold = column.locator("details.thinking")
    expect(fold.locator("summary")).to_contain_text("Thought for ")
    expect(fold.locator("summary")).to_contain_text("tokens")
    expect(fold.locator("pre")).not_to_be_visible()
    fold.locator("summary").click()
    expect(fold.locator("pre")).to_have_text("First the **plan**.\n\nThen <b>more</b>.")
    labels = column.locator("dt").all_text_contents()
    assert labels[:2] == ["First token", "Answer began"]
    expect(reply(tab, 1).locator(".thinking")).to_have_count(0)


@pytest.fixture
def thinkers(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page on two models of the tests' own that think, one an engine."""
    models = tmp_path / "models"
    models.mkdir()
    template, chain = reasoning_model.BY_CONTROL_TOKENS
    template += "{% if enable_thinking %}{% endif %}"
    directory, _file = reasoning_model.write_models(models, template, chain)
    directory.rename(models / "Pondering")
    server = start_server(models, tmp_path / "log.txt")
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    try:
        tab = context.new_page()
        tab.goto(server.url)
        wait_for_models(tab)
        yield tab
    finally:
        context.close()
        server.end()


@pytest.mark.slow
def test_both_engines_think_apart_from_their_answers(thinkers: Page) -> None:
    choose(thinkers, "Pondering", "Thinker")
    thinkers.locator("#greedy input").check()
    for letter in "ab":
        thinkers.click(f"#own-{letter} .slot-settings")
        known = thinkers.locator("#slot-form .known-settings")
        expect(known).to_have_text("Its template knows thinking=on|off")
        thinkers.keyboard.press("Escape")
    ask(thinkers, "q", "Pondering", "Thinker")
    for slot in (0, 1):
        wait_for_state(thinkers, slot, "done", 240)
        column = reply(thinkers, slot)
        expect(column.locator(".answer .markdown")).to_have_text("Fine!")
        column.locator("details.thinking summary").click()
        expect(column.locator("details.thinking pre")).to_have_text("so.")
        expect(column.locator("details.thinking summary")).to_contain_text("5 tokens")
