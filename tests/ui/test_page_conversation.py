"""A conversation on the page: asked on, edited, written anew, continued; read side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from one_core import on_one_core
from playwright.sync_api import Page, expect

from tests.ui.conftest import ask, reply, start_server, wait_for_state

FIELD = "#follow-up-field"
HOSTILE = "<img src=x onerror=window.hacked=1> **b** \u202e\u200b\u05d0"


def _answer(tab: Page, slot: int) -> Any:
    return reply(tab, slot).locator(".answer > .markdown")


def _ask_on(tab: Page, question: str) -> None:
    """Ask on by the keyboard; the board begins anew."""
    run = _run(tab)
    tab.fill(FIELD, question)
    tab.press(FIELD, "Enter")
    tab.wait_for_function(f"document.querySelector('.replies').dataset.run !== '{run}'")


def _run(tab: Page) -> str:
    return tab.locator(".replies").get_attribute("data-run") or ""


def _over(tab: Page, *slots: int) -> None:
    for slot in slots:
        wait_for_state(tab, slot, "done")
    tab.wait_for_selector("body:not(.comparing)")


def test_each_column_goes_on_from_its_own_answers_and_a_turn_can_be_asked_again(tab: Page) -> None:
    ask(tab, "the first question", "Quick", "Thinker")
    expect(tab.locator(FIELD)).to_be_visible()
    _over(tab, 0, 1)
    _ask_on(tab, HOSTILE)
    _over(tab, 0, 1)
    for slot, said in ((0, "the first question"), (1, "The answer is 7.")):
        expect(reply(tab, slot).locator(".last-turn .question p")).to_have_text(
            "the first question"
        )
        expect(reply(tab, slot).locator(".last-turn .markdown")).to_have_text(said)
    expect(_answer(tab, 1)).to_have_text("The answer is 7.")
    asked = reply(tab, 0).locator(".answer > .question p")
    assert asked.text_content() == HOSTILE.replace("\u202e", "\\u202e")
    _ask_on(tab, "the third question")
    _over(tab, 0, 1)
    earlier = reply(tab, 0).locator(".earlier")
    expect(earlier.locator("summary")).to_have_text("1 earlier turn")
    expect(earlier.locator(".question")).to_have_count(0)  # made when it is opened
    earlier.locator("summary").click()
    expect(earlier.locator(".question p")).to_have_text("the first question")
    assert tab.evaluate("window.hacked") is None
    run = _run(tab)
    reply(tab, 1).locator(".last-turn .edit").click()
    expect(tab.locator("label[for=follow-up-field]")).to_contain_text("in place of turn 2")
    tab.fill(FIELD, "another second question")
    tab.locator(".follow-up .send").click()
    tab.wait_for_function(f"document.querySelector('.replies').dataset.run !== '{run}'")
    _over(tab, 0, 1)
    for slot in (0, 1):
        expect(reply(tab, slot).locator(".answer > .question p")).to_have_text(
            "another second question"
        )
        expect(reply(tab, slot).locator(".last-turn .question p")).to_have_text(
            "the first question"
        )
        expect(reply(tab, slot).locator(".earlier")).to_have_count(0)


def test_a_cut_answer_goes_on_and_another_is_written_anew(tab: Page) -> None:
    tab.fill("#max-tokens input", "3")
    ask(tab, "one two three four five", "Quick", "Long")
    _over(tab, 0, 1)
    expect(reply(tab, 0).locator(".cut")).to_contain_text("Cut off at the limit of tokens.")
    begun = _answer(tab, 0).text_content() or ""
    other = _answer(tab, 1).text_content()
    reply(tab, 0).locator(".continue-column").click()
    tab.wait_for_selector(".reply[data-slot='0'][data-attempt='1'][data-state='done']")
    expect(reply(tab, 0)).to_have_attribute("data-attempt", "1")
    written = _answer(tab, 0).text_content() or ""
    assert written.startswith(begun.strip())
    assert len(written) > len(begun)
    tab.wait_for_selector("body:not(.comparing)")
    reply(tab, 0).locator(".regenerate-column").click()
    tab.wait_for_selector(".reply[data-slot='0'][data-attempt='2'][data-state='done']")
    expect(_answer(tab, 0)).to_have_text(begun)
    assert _answer(tab, 1).text_content() == other
    expect(reply(tab, 1)).to_have_attribute("data-attempt", "0")


@pytest.mark.slow
def test_a_model_that_was_removed_leaves_its_column_with_a_sentence(
    tab: Page, echo_models_dir: Path
) -> None:
    file = echo_models_dir / "Short lived.echo.json"
    file.write_text("{}")
    tab.click("#refresh")
    ask(tab, "hello there", "Short lived", "Quick")
    _over(tab, 0, 1)
    file.unlink()
    _ask_on(tab, "and now?")
    wait_for_state(tab, 1, "done")
    wait_for_state(tab, 0, "failed")
    expect(reply(tab, 0).locator(".error")).to_contain_text("model is gone")
    expect(reply(tab, 0).locator(".last-turn .markdown")).to_have_text("hello there")
    expect(_answer(tab, 1)).not_to_be_empty()


def test_answers_are_read_side_by_side(open_tab: Callable[..., Page]) -> None:
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    ask(tab, "All is work", "Quick", "Long", "Rich")
    _over(tab, 0, 1, 2)
    tab.click(".modes >> text=Difference")
    expect(tab.locator(".marks-words")).to_contain_text("Words that are the same at the start: 1.")
    expect(reply(tab, 0).locator(".marked mark").first).to_have_text("is")
    expect(reply(tab, 0).locator(".plain")).not_to_be_visible()
    expect(reply(tab, 2).locator(".plain")).to_be_visible()
    tab.locator(".pair select").nth(1).select_option("2")
    expect(tab.locator(".marks-words")).to_contain_text("part at the first word")
    expect(reply(tab, 2).locator(".marked .parting")).to_have_count(1)
    tab.click(".modes >> text=Tokens")
    expect(reply(tab, 0).locator(".token")).to_have_count(3)
    assert reply(tab, 0).locator(".marked").text_content() == "All is work"
    tab.click(".modes >> text=Markdown")
    expect(reply(tab, 0).locator(".marked")).not_to_be_visible()
    tab.click(".scroll-together")
    reply(tab, 1).locator(".answer").hover()
    tab.mouse.wheel(0, 10_000)
    tab.wait_for_function("document.querySelectorAll('.answer')[2].scrollTop > 0")
    reply(tab, 2).locator(".copy").first.click()
    tab.wait_for_selector(".copy[data-copied=true]")
    assert "def double" in tab.evaluate("navigator.clipboard.readText()")
    reply(tab, 1).locator(".widen").click()
    expect(reply(tab, 0)).not_to_be_visible()
    expect(reply(tab, 1).locator(".widen")).to_have_attribute("aria-pressed", "true")
    reply(tab, 1).locator(".widen").click()
    expect(reply(tab, 0)).to_be_visible()


BESIDE = """() => [...document.querySelectorAll('#board-root *')].filter((node) => {
  const { left, right, width } = node.getBoundingClientRect();
  return width && !node.closest('.replies, .unseen') && (left < 0 || right > innerWidth + 1);
}).length"""


def test_a_phone_shows_one_column_at_a_time_and_folds_the_form(
    open_tab: Callable[..., Page],
) -> None:
    tab = open_tab()
    tab.set_viewport_size({"width": 390, "height": 844})
    expect(tab.locator("#prompt")).to_be_visible()
    ask(tab, "a question to both", "Quick", "Thinker")
    _over(tab, 0, 1)
    expect(tab.locator("#prompt")).not_to_be_visible()
    expect(reply(tab, 0).locator(".answer > .question p")).to_have_text("a question to both")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate(BESIDE) == 0
    tabs = tab.locator(".column-tabs button")
    expect(tabs).to_have_text(["A · Quickdone", "B · Thinkerdone"])
    expect(reply(tab, 1)).not_to_be_in_viewport()
    tabs.nth(1).click()
    expect(reply(tab, 1)).to_be_in_viewport()
    expect(tabs.nth(1)).to_have_attribute("aria-pressed", "true")
    tab.click(".form-fold")
    expect(tab.locator("#prompt textarea")).to_have_value("a question to both")
    tab.click(".form-fold")
    expect(tab.locator("#prompt")).not_to_be_visible()


@pytest.mark.slow
@pytest.mark.native
def test_both_engines_go_on_from_what_they_said(
    open_tab: Callable[..., Page], starter_models_dir: Path, tmp_path: Path
) -> None:
    """A cut answer goes on behind its own text, and the next question comes behind all of it."""
    server = start_server(starter_models_dir, tmp_path / "log.txt", begin=on_one_core)
    try:
        tab = open_tab(server.url)
        tab.locator("#greedy input").check()
        tab.fill("#max-tokens input", "6")
        ask(tab, "Name a colour.", "Q4_1", "PyTorch")
        for slot in (0, 1):
            wait_for_state(tab, slot, "done", 120)
        tab.wait_for_selector("body:not(.comparing)")
        begun = _text(tab, 1)
        reply(tab, 1).locator(".continue-column").click()
        more = ".reply[data-slot='1'][data-attempt='1'][data-state='done']"
        tab.wait_for_selector(more, timeout=120_000)
        whole = _text(tab, 1)
        assert whole.startswith(begun)
        assert len(whole) > len(begun)
        tab.wait_for_selector("body:not(.comparing)")
        tab.click(".modes >> text=Tokens")
        expect(reply(tab, 0).locator(".token")).to_have_count(6)
        assert reply(tab, 0).locator(".marked").text_content() == _text(tab, 0)
        _ask_on(tab, "And another one?")
        for slot in (0, 1):
            wait_for_state(tab, slot, "done", 120)
        sent = reply(tab, 1).locator(".evidence")
        assert whole.strip() in (sent.text_content() or "")
        assert "And another one?" in (sent.text_content() or "")
    finally:
        assert server.end() == 143
    assert "Traceback" not in server.log.read_text()


def _text(tab: Page, slot: int) -> str:
    return reply(tab, slot).locator(".plain").text_content() or ""
