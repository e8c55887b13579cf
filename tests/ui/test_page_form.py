"""Slots with settings of their own, links, what the browser remembers, and files, in a browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cases import slow
from playwright.sync_api import Browser, Page, expect

from tests.ui.conftest import (
    MODELS,
    Server,
    ask,
    choose,
    reply,
    set_own,
    until,
    wait_for_models,
    wait_for_state,
)
from tests.ui.test_page_language import SETTLED

READY = "#own-a .slot-settings"
# What another site's frame is in a browser that keeps no data of third parties.
NO_STORAGE = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, {
    get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
  });
}"""
REMEMBERED = "JSON.parse(localStorage.getItem('multi-llm-comparator.form'))"
DROP = """(text) => {
  const data = new DataTransfer();
  data.items.add(new File([text], "notes.txt", { type: "text/plain" }));
  data.items.add(new File([new Uint8Array([137, 80, 78, 71, 255, 0])], "picture.png"));
  const field = document.querySelector("#prompt textarea");
  for (const kind of ["dragover", "drop"]) {
    const how = { bubbles: true, cancelable: true, dataTransfer: data };
    field.dispatchEvent(new DragEvent(kind, how));
  }
}"""


def _chosen(tab: Page) -> list[str]:
    names = tab.locator("#models .slot:visible .chosen-name")
    return [name or "" for name in names.all_text_contents()]


def _chips(tab: Page, letter: str) -> list[str]:
    return tab.locator(f"#own-{letter} .chip-edit").all_text_contents()


def _remembers(tab: Page, condition: str) -> None:
    tab.wait_for_function(f"(() => {{ const kept = {REMEMBERED}; return kept && {condition}; }})()")


def test_what_is_typed_in_a_list_searches_whatever_was_chosen(tab: Page) -> None:
    choose(tab, "Quick", "Long")
    tab.click("#model-a input")  # by the pointer, then by keys alone
    tab.keyboard.type("mend")
    expect(tab.locator("ul[role=listbox] li")).to_have_count(1)
    tab.keyboard.press("Enter")
    expect(tab.locator("#model-a .chosen-name")).to_have_text("Mended")
    tab.focus("#model-b input")
    tab.keyboard.type("thinker")
    expect(tab.locator("ul[role=listbox] li")).to_have_count(1)
    tab.keyboard.press("Enter")
    expect(tab.locator("#model-b .chosen-name")).to_have_text("Thinker")


def test_one_model_sits_in_two_slots_with_settings_of_their_own(tab: Page) -> None:
    choose(tab, "Quick", "Long")
    set_own(tab, "a", "max_tokens", "2")
    set_own(tab, "a", "do_sample", "off")
    assert _chips(tab, "a") == ["max_tokens 2", "greedy"]
    tab.click("#own-a .slot-duplicate")
    expect(tab.locator("#model-c .chosen-name")).to_have_text("Long")
    assert _chosen(tab) == ["Quick", "Quick", "Long"]
    tab.click("#own-b .chip-remove >> nth=0")
    set_own(tab, "b", "max_tokens", "1")
    tab.click("#own-c .slot-swap")
    expect(tab.locator("#model-b .chosen-name")).to_have_text("Long")
    assert [_chips(tab, letter) for letter in "abc"] == [
        ["max_tokens 2", "greedy"],
        [],
        ["greedy", "max_tokens 1"],
    ]
    tab.click("#own-b .slot-remove")
    expect(tab.locator("#slot-c")).not_to_be_visible()
    ask(tab, "one two three", "Quick", "Quick")
    wait_for_state(tab, 1, "done")
    expect(reply(tab, 0).locator(".answer .markdown")).to_have_text("one two ")
    expect(reply(tab, 1).locator(".answer .markdown")).to_have_text("one ")


@pytest.mark.slow
def test_shuffling_keeps_each_models_settings_with_it(tab: Page) -> None:
    choose(tab, "Quick", "Long", "Rich")
    set_own(tab, "c", "seed", "7")
    tab.click("#slot-tools .slot-shuffle")
    until(lambda: _chosen(tab) != ["Quick", "Long", "Rich"])
    assert sorted(_chosen(tab)) == ["Long", "Quick", "Rich"]
    letter = "abc"[_chosen(tab).index("Rich")]
    assert _chips(tab, letter) == ["seed 7"]
    tab.click("#add-slot")
    expect(tab.locator("#model-d input")).to_be_focused()
    expect(tab.locator("#add-slot")).to_have_count(0)


def test_a_value_out_of_range_is_told_at_its_field_and_by_run(tab: Page, server: Server) -> None:
    choose(tab, "Quick")
    set_own(tab, "a", "temperature", "9")
    expect(tab.locator("#own-a .chip.wrong")).to_have_text("temperature 9×")
    tab.click("#own-a .chip-edit")
    field = tab.locator("#own-setting-temperature")
    expect(field).to_be_focused()
    expect(field).to_have_value("9")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(tab.locator("#own-setting-temperature-problem")).to_have_text(
        "This has to be a number from 0 to 2."
    )
    tab.keyboard.press("Escape")
    expect(tab.locator(READY)).to_be_focused()
    ask(tab, "hello", "Quick")
    expect(tab.locator(".board-error")).to_contain_text("Own settings of model 1: temperature must")
    assert tab.input_value("#prompt textarea") == "hello"
    assert server.runs() == []
    tab.click("#own-a .chip-remove")
    tab.press("#prompt textarea", "Enter")
    wait_for_state(tab, 0, "done")


def test_what_was_used_last_is_there_again_and_can_be_reset(tab: Page) -> None:
    choose(tab, "Long", "Quick", "Long")
    set_own(tab, "c", "kv_cache_type", "q8_0")
    tab.fill("#temperature input", "0.3")
    tab.fill("#system-prompt textarea", "be brief")
    tab.fill("#prompt textarea", "half a quest")
    _remembers(tab, "kept.form.temperature === 0.3 && kept.system_prompt === 'be brief'")
    tab.wait_for_function(
        "sessionStorage.getItem('multi-llm-comparator.prompt') === '\"half a quest\"'"
    )
    tab.reload()
    expect(tab.locator("#model-c .chosen-name")).to_have_text("Long")
    assert _chosen(tab) == ["Long", "Quick", "Long"]
    expect(tab.locator("#own-c .chip-edit")).to_have_text("kv_cache_type q8_0")
    expect(tab.locator("#temperature input")).to_have_value("0.3")
    expect(tab.locator("#system-prompt textarea")).to_have_value("be brief")
    expect(tab.locator("#prompt textarea")).to_have_value("half a quest")
    tab.check("#blind input")
    tab.click("#reset-form")
    expect(tab.locator("#blind input")).not_to_be_checked()
    expect(tab.locator("#temperature input")).to_have_value("0.7")
    expect(tab.locator("#system-prompt textarea")).to_have_value("")
    expect(tab.locator("#slot-c")).not_to_be_visible()
    assert _chosen(tab) == sorted(MODELS)[:2]
    assert tab.input_value("#prompt textarea") == "half a quest"


def test_a_browser_that_keeps_nothing_loses_nothing_else(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(NO_STORAGE)
    tab, errors = context.new_page(), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(server.url)
    wait_for_models(tab)
    tab.fill("#system-prompt textarea", "Be brief.")
    tab.click("text=System prompts ▾")
    tab.fill("#system-prompts-menu input", "Brief")
    tab.keyboard.press("Enter")
    expect(tab.locator(".slot-notes")).to_contain_text("This browser keeps nothing")
    tab.click("#help-open")
    tab.check("#help-notify")
    tab.click("#help-close")
    ask(tab, "hello", "Quick", "Quick")
    wait_for_state(tab, 1, "done")
    tab.click("#reset-form")
    expect(tab.locator("#system-prompt textarea")).to_have_value("")
    context.close()
    assert errors == []


def test_a_link_opens_a_form_and_runs_nothing(
    open_tab: Callable[..., Page], server: Server
) -> None:
    tab = open_tab(
        f"{server.url}?models=Quick&models=Nobody,Quick&prompt=one%20two%20three&seed=5"
        "&2.max_tokens=2&trust_remote_code=true&temperature=hot&__theme=light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    expect(tab.locator("#prompt textarea")).to_have_value("one two three")
    expect(tab.locator("#seed input, #seed textarea")).to_have_value("5")
    expect(tab.locator("#own-b .chip-edit")).to_have_text("max_tokens 2")
    assert _chosen(tab) == ["Quick", "Quick"]
    told = tab.locator(".slot-notes li")
    expect(told).to_contain_text(
        [
            "may not turn trust_remote_code on",
            "temperature was left out: temperature must be between",
            "asks for Nobody, which is not here",
            "sets seed for all slots",
        ]
    )
    assert tab.locator(".reply").count() == 0
    assert server.runs() == []
    tab.click(".slot-notes .note-close >> nth=0")
    expect(told).to_have_count(3)
    tab.wait_for_function("!location.search.includes('models')")  # it is remembered now
    assert "__theme=light" in tab.url
    tab.click("#copy-link")
    expect(told).to_contain_text(["The link is copied"])
    link = tab.evaluate("navigator.clipboard.readText()")
    other = open_tab(link)
    expect(other.locator("#prompt textarea")).to_have_value("one two three")
    expect(other.locator("#own-b .chip-edit")).to_have_text("max_tokens 2")
    other.click("#run")
    wait_for_state(other, 1, "done")
    expect(reply(other, 0).locator(".answer .markdown")).to_have_text("one two three")
    expect(reply(other, 1).locator(".answer .markdown")).to_have_text("one two ")


def test_examples_and_kept_system_prompts_fill_the_form(tab: Page) -> None:
    tab.fill("#prompt textarea", "typed before")
    tab.click("text=Examples ▾")
    tab.click("#examples-menu >> text=Reason")
    expect(tab.locator("#prompt textarea")).to_have_value(
        "A bat and a ball cost 1.10 together. The bat costs 1.00 more than the ball. What does "
        "the ball cost? Think step by step, then give the answer alone on the last line."
    )
    tab.click(".slot-notes >> text=Undo")
    expect(tab.locator("#prompt textarea")).to_have_value("typed before")
    tab.fill("#system-prompt textarea", "You are a pirate.")
    tab.click("text=System prompts ▾")
    tab.fill("#system-prompts-menu input", "Pirate")
    tab.keyboard.press("Enter")
    expect(tab.locator(".slot-notes")).to_contain_text("kept as Pirate")
    tab.reload()
    wait_for_models(tab)
    tab.fill("#system-prompt textarea", "")
    tab.click("text=System prompts ▾")
    tab.click("#system-prompts-menu >> text=Pirate")
    expect(tab.locator("#system-prompt textarea")).to_have_value("You are a pirate.")
    tab.click("text=System prompts ▾")
    tab.click("#system-prompts-menu [aria-label='Delete Pirate']")
    expect(tab.locator("#system-prompts-menu")).to_contain_text("None kept yet.")


def test_files_of_text_stand_before_the_question(tab: Page, server: Server) -> None:
    choose(tab, "Quick")
    tab.evaluate(DROP, "remember <b>this</b>\n")
    chip = tab.locator("#files-root .chip")
    expect(chip).to_contain_text(["notes.txt · 21 characters · 2 tokens"])
    expect(tab.locator(".files-told")).to_contain_text("picture.png is no file of text")
    tab.press("#prompt textarea", "Enter")
    expect(tab.locator(".board-error")).to_have_text("Type a prompt first; it is empty.")
    ask(tab, "What is it?", "Quick")
    wait_for_state(tab, 0, "done")
    plain = "File notes.txt:\n```\nremember <b>this</b>\n```\n\nWhat is it?"
    assert reply(tab, 0).locator(".plain").text_content() == plain
    tab.click("#files-root .chip-remove")
    expect(chip).to_have_count(0)
    tab.set_input_files(
        "#files-root input",
        [{"name": "big.txt", "mimeType": "text/plain", "buffer": b"x" * 2_000_001}],
    )
    expect(tab.locator(".files-told")).to_contain_text("big.txt is too large")


def test_fifty_clicks_on_run_are_one_comparison(tab: Page, server: Server) -> None:
    choose(tab, "Endless")
    tab.fill("#max-tokens input", "")  # it writes until it is stopped
    tab.fill("#prompt textarea", "go")
    tab.evaluate("for (let n = 0; n < 50; n += 1) document.querySelector('#run').click()")
    wait_for_state(tab, 0, "writing")
    assert len(server.runs()) == 1
    expect(tab.locator(".reply")).to_have_count(1)
    expect(tab.locator(".toast-body")).to_have_count(0)
    tab.evaluate("for (let n = 0; n < 50; n += 1) document.querySelector('#run').click()")
    expect(tab.locator(".toast-body")).to_contain_text(["Your comparison is still running."])
    tab.click("#stop")
    wait_for_state(tab, 0, "stopped")
    assert tab.input_value("#prompt textarea") == "go"


def test_a_model_that_went_away_is_told_and_the_rest_stays(
    tab: Page, echo_models_dir: Path
) -> None:
    (echo_models_dir / "Goes.echo.json").write_text("{}")
    tab.click("#refresh")
    choose(tab, "Quick", "Goes")
    set_own(tab, "b", "seed", "3")
    os.unlink(echo_models_dir / "Goes.echo.json")
    ask(tab, "hello", "Quick", "Goes")
    wait_for_state(tab, 0, "done")
    wait_for_state(tab, 1, "failed")
    assert (tab.input_value("#prompt textarea"), _chips(tab, "b")) == ("hello", ["seed 3"])
    _remembers(tab, "kept.slots.length === 2")
    tab.reload()
    expect(tab.locator(".slot-notes li")).to_contain_text(["Goes is not here any more"])
    expect(tab.locator("#model-a .chosen-name")).to_have_text("Quick")
    expect(tab.locator("#slot-b")).not_to_be_visible()
    expect(tab.locator("#prompt textarea")).to_have_value("hello")


CUT = """() => [...document.querySelectorAll(
  "#models :is(.chip-edit, button), .tool, #slot-form :is(label, legend, button, h2)")]
  .filter((n) => n.offsetParent && n.scrollWidth > n.clientWidth + 1).map((n) => n.textContent)"""


@pytest.mark.parametrize(("language", "label"), [("zh-CN", "模型 A"), slow("en-GB", "Model A")])
def test_the_form_speaks_the_browsers_language_and_nothing_is_cut(
    open_tab: Callable[..., Page], language: str, label: str
) -> None:
    tab = open_tab(locale=language)
    tab.wait_for_selector(READY)
    expect(tab.locator("#model-a [data-testid='block-info']")).to_contain_text(label)
    tab.click(READY)
    expect(tab.locator("#slot-form label").first).to_be_visible()
    for width in (1440, 390):
        tab.set_viewport_size({"width": width, "height": 844})
        tab.evaluate(SETTLED)
        assert tab.evaluate(CUT) == []
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not tab.evaluate(wide)
