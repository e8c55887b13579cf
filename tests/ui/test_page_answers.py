"""What a person sees of a comparison, on echo models in a real browser."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cases import slow
from playwright.sync_api import Page, expect

from tests.ui.conftest import (
    NOVEL,
    PATIENCE_SECONDS,
    RICH,
    Server,
    ask,
    choose,
    reply,
    set_own,
    wait_for_state,
)

LONG_NAME = "This is a model whose name is much too long for any field, Instruct v3 final"


def test_the_page_is_one_screen_two_models_are_chosen_and_what_cannot_be_is_told(tab: Page) -> None:
    box = tab.locator("#run").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 500
    assert tab.evaluate("document.documentElement.scrollHeight") <= 800
    assert tab.input_value("#model-a input").startswith("Crash · Echo · ")
    assert tab.input_value("#model-b input").startswith("Endless · Echo · ")
    assert tab.input_value("#model-c input") == "none"
    expect(tab.locator("#starter")).not_to_be_visible()
    _files_that_cannot_be_loaded_are_told_and_not_offered(tab)


def _files_that_cannot_be_loaded_are_told_and_not_offered(tab: Page) -> None:
    tab.click("#unusable summary")
    expect(tab.locator("#unusable li")).to_have_text(
        "broken The file is empty (0 bytes). Download it again."
    )
    tab.click("#model-a input")
    expect(tab.locator("ul[role=listbox] li").filter(has_text="Repeatedly")).to_have_count(1)
    offered = tab.locator("ul[role=listbox] li").all_text_contents()
    assert not any(text.strip(" ✓\n").startswith("broken") for text in offered)


@pytest.mark.slow
def test_engine_and_size_stay_in_sight_however_long_a_name_is(tab: Page) -> None:
    choose(tab, LONG_NAME, "Quick", "Hostile")
    field = tab.locator("#model-a .secondary-wrap")
    name = field.locator(".chosen-name")
    expect(name).to_have_text(LONG_NAME)
    expect(tab.locator("#model-a .facts")).to_have_text("Echo · 2 bytes")
    expect(field).to_have_attribute("title", f"{LONG_NAME} · Echo · 2 bytes")
    expect(tab.locator("#model-d .facts")).not_to_be_visible()
    for letter in "abc":
        facts, block, cover, arrow = (
            tab.locator(f"#model-{letter} {part}").evaluate("node => node.getBoundingClientRect()")
            for part in (".facts", ".container", ".chosen-name", ".icon-wrap")
        )
        assert facts["right"] <= block["right"] + 1
        assert cover["right"] <= arrow["left"]
        assert cover["height"] < 40
    assert name.evaluate("node => node.scrollWidth <= node.clientWidth")  # whole, on more lines
    assert name.evaluate("node => node.scrollHeight <= node.clientHeight + 1")
    tab.click("#model-a input")
    expect(name).not_to_be_visible()
    tab.keyboard.press("Escape")


@pytest.mark.slow
def test_a_choice_changes_what_is_said_of_it(tab: Page) -> None:
    choose(tab, "Quick", "Quick")
    expect(tab.locator("#model-b .chosen-name")).to_have_text("Quick")
    size = tab.locator("#model-b .facts").text_content()
    choose(tab, "Quick", "Long")
    expect(tab.locator("#model-b .chosen-name")).to_have_text("Long")
    expect(tab.locator("#model-b .facts")).not_to_have_text(size or "")
    choose(tab, "Quick")
    expect(tab.locator("#model-b .facts")).not_to_be_visible()


def test_enter_runs_and_the_columns_show_answers_and_figures(tab: Page) -> None:
    ask(tab, "Hello **world** out there", "Quick", "Long")
    wait_for_state(tab, 0, "done")
    wait_for_state(tab, 1, "done")
    expect(reply(tab, 0).locator("h2")).to_have_text("Quick")
    expect(reply(tab, 0).locator(".answer strong")).to_have_text("world")
    expect(reply(tab, 0).locator(".state")).to_have_text("done")
    labels = reply(tab, 0).locator("dt").all_text_contents()
    assert labels == ["First token", "Speed", "Tokens", "Peak memory", "Load"]
    cut = reply(tab, 1).locator(".notice", has_text="Cut off at the limit of tokens.")
    expect(cut).to_have_count(1)


@pytest.mark.slow
def test_a_long_answer_arrives_whole_and_once(tab: Page) -> None:
    tab.fill("#max-tokens input", "2000")
    ask(tab, "go", "Long")
    wait_for_state(tab, 0, "done")
    words = ["All", "**work**", "and", "no", "play."]
    expected = " ".join(words[number % len(words)] for number in range(2000))
    shown = reply(tab, 0).locator(".plain").evaluate("node => node.textContent")
    assert shown.split() == expected.split()
    assert reply(tab, 0).locator(".markdown strong").count() == 400


# Notes what stands in the first column in the very moment in which it says "done".
AT_DONE = """() => new MutationObserver((_news, observer) => {
  const reply = document.querySelector(".reply[data-state='done']");
  if (!reply || window.atDone) return;
  const [plain, markdown] = [".plain", ".markdown"].map((part) => reply.querySelector(part));
  window.atDone = [plain.textContent, markdown.querySelectorAll("strong").length];
  observer.disconnect();
}).observe(document.querySelector("#board-root"), { attributes: true, subtree: true })"""
HANG = """() => {
  let left = 2;
  const hang = () => {
    for (const end = performance.now() + 2000; performance.now() < end; );
    left -= 1;
    if (left) setTimeout(hang, 20);
  };
  setTimeout(hang);
}"""


@contextlib.contextmanager
def _trouble(tab: Page, kind: str) -> Iterator[None]:
    """Keep the browser from its work in one of the ways of a busy machine."""
    burners = []
    if kind == "a slow processor":
        tab.context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": 20})
    elif kind == "a page that hangs":
        tab.evaluate(HANG)
    elif kind == "busy cores":
        spin = [sys.executable, "-c", "while True: pass"]
        burners = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


SLOW_TROUBLES = [slow(kind) for kind in ("none", "a slow processor", "busy cores")]


@pytest.mark.parametrize("kind", ["a page that hangs", *SLOW_TROUBLES])
def test_done_means_that_all_of_4096_tokens_stands_there(tab: Page, kind: str) -> None:
    pieces = itertools.cycle(re.findall(r"\S+\s*", NOVEL))
    expected = "".join(itertools.islice(pieces, 4096))
    tab.fill("#max-tokens input", "4096")
    choose(tab, "Novel")
    tab.evaluate(AT_DONE)
    ask(tab, "go", "Novel")
    with _trouble(tab, kind):
        tab.wait_for_function("window.atDone", timeout=90_000)
    plain, strong = tab.evaluate("window.atDone")
    assert plain == expected
    assert strong == expected.count("**work**")


COPY = """async (node) => {
  getSelection().selectAllChildren(node);
  document.execCommand("copy");
  return navigator.clipboard.readText();
}"""


def test_code_tables_and_formulas_are_drawn_without_another_server_and_copied_as_they_came(
    open_tab: Callable[..., Page], server: Server
) -> None:
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    ask(tab, "go", "Rich")
    wait_for_state(tab, 0, "done")
    answer = reply(tab, 0).locator(".markdown")
    expect(answer.locator("math")).to_have_count(3)
    expect(answer.locator("p").first).to_contain_text("It costs $5 and $6, while")
    expect(answer.locator("td.right")).to_have_text("3.14")
    expect(answer.locator(".formula-source")).to_have_text(r"$\frac{1$")
    colours = "node => getComputedStyle(node).color"
    keyword = answer.locator(".hljs-keyword").first.evaluate(colours)
    assert keyword != answer.locator("pre code").evaluate(colours)
    links = answer.locator("a").evaluate_all("nodes => nodes.map((node) => node.textContent)")
    assert links == ["link", "image: a picture"]
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []
    tab.click("text=Plain text")
    copied = reply(tab, 0).locator(".plain").evaluate(COPY)
    assert copied.rstrip("\n") == RICH.rstrip("\n")  # browsers drop the last line feed


def test_without_the_libraries_an_answer_is_plain_text_and_the_page_says_so(tab: Page) -> None:
    tab.route("**/comparator/libraries-*.js", lambda route: route.abort())
    tab.reload()
    expect(tab.locator(".modes button").first).to_be_disabled()
    expect(tab.locator(".modes button").first).to_have_attribute("title", re.compile("Reload"))
    ask(tab, "**bold** text", "Quick")
    wait_for_state(tab, 0, "done")
    expect(reply(tab, 0).locator(".plain")).to_be_visible()
    expect(reply(tab, 0).locator(".plain")).to_have_text("**bold** text")


@pytest.mark.slow
def test_shift_enter_makes_a_new_line(tab: Page) -> None:
    choose(tab, "Quick")
    tab.fill("#prompt textarea", "one")
    tab.press("#prompt textarea", "End")
    tab.press("#prompt textarea", "Shift+Enter")
    tab.keyboard.type("two")
    assert tab.input_value("#prompt textarea") == "one\ntwo"
    assert tab.locator(".reply").count() == 0


@pytest.mark.slow
def test_plain_text_and_back_without_another_run(tab: Page) -> None:
    ask(tab, "**bold** text", "Quick", "Quick")
    wait_for_state(tab, 1, "done")
    tab.click("text=Plain text")
    for slot in (0, 1):
        expect(reply(tab, slot).locator(".plain")).to_be_visible()
        expect(reply(tab, slot).locator(".plain")).to_have_text("**bold** text")
        expect(reply(tab, slot).locator(".markdown")).not_to_be_visible()
    tab.click(".modes >> text=Markdown")
    expect(reply(tab, 0).locator(".markdown strong")).to_be_visible()


def test_a_failure_stays_in_its_column_in_words(tab: Page) -> None:
    ask(tab, "three little words", "Quick", "Crash", "Quick")
    for slot, state in enumerate(("done", "failed", "done")):
        wait_for_state(tab, slot, state)
    failed = reply(tab, 1)
    expect(failed.locator(".error")).to_contain_text("SIGSEGV")
    expect(failed.locator(".answer")).to_contain_text("some words")
    expect(reply(tab, 0).locator(".error")).not_to_be_visible()
    assert "Traceback" not in tab.locator("body").inner_text()


@pytest.mark.slow
def test_what_was_sent_is_folded_away(tab: Page) -> None:
    tab.fill("#seed input, #seed textarea", "42")
    ask(tab, "show me", "Quick")
    wait_for_state(tab, 0, "done")
    reply(tab, 0).locator("summary").first.click()
    expect(reply(tab, 0).locator("details").first).to_contain_text("seed = 42")
    expect(reply(tab, 0).locator("details").first).to_contain_text("show me")


def test_hostile_text_runs_nothing_and_fetches_nothing(open_tab: Callable[..., Page]) -> None:
    tab = open_tab()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    ask(tab, "go", "Hostile")
    wait_for_state(tab, 0, "done")
    answer = reply(tab, 0).locator(".answer")
    assert tab.evaluate("window.hacked") is None
    assert answer.locator("script, img, iframe, a[href^=javascript]").count() == 0
    expect(answer.locator(".markdown")).to_contain_text("\\x1b[2J \\x00")
    expect(answer.locator(".markdown")).to_contain_text("用一句话 🙂")
    assert not [url for url in asked if "outside.invalid" in url]


def test_nothing_is_fetched_from_another_server(
    open_tab: Callable[..., Page], server: Server, browser: Any
) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(server.url)
    tab.wait_for_selector("#board-root .modes")
    context.close()
    foreign = [u for u in asked if not u.startswith((server.url, "data:", "blob:"))]
    assert foreign == []


def test_wrong_settings_are_a_sentence_and_start_nothing(tab: Page, server: Server) -> None:
    choose(tab, "Quick")
    tab.press("#prompt textarea", "Enter")
    expect(tab.locator(".board-error")).to_have_text("Type a prompt first; it is empty.")
    tab.fill("#max-tokens input", "0")
    ask(tab, "hi", "Quick")
    expect(tab.locator(".board-error")).to_contain_text("max_tokens must be a whole number")
    assert server.runs() == []
    tab.fill("#max-tokens input", "5")
    tab.press("#prompt textarea", "Enter")
    wait_for_state(tab, 0, "done")
    expect(tab.locator(".board-error")).not_to_be_visible()


@pytest.mark.slow
def test_own_settings_bind_one_column(tab: Page) -> None:
    set_own(tab, "b", "max_tokens", "2")
    ask(tab, "one two three four", "Quick", "Quick")
    wait_for_state(tab, 1, "done")
    expect(reply(tab, 0).locator(".answer .markdown")).to_have_text("one two three four")
    expect(reply(tab, 1).locator(".answer .markdown")).to_have_text("one two ")


def test_while_a_model_writes_nothing_moves_on_the_page(tab: Page) -> None:
    """Each frame that is drawn takes processor time from the model that is measured."""
    ask(tab, "write", "Endless")
    wait_for_state(tab, 0, "writing")
    moving = "document.getAnimations().filter((a) => a.playState === 'running').length"
    tab.wait_for_function(f"{moving} === 0")
    tab.click("#stop")
    wait_for_state(tab, 0, "stopped")
