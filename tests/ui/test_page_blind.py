"""Blind answers in a real browser: nothing tells who wrote what before the vote, then all does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import (
    Server,
    ask,
    choose,
    start_server,
    wait_for_models,
    wait_for_state,
)
from tests.ui.test_page_axe import found

ANSWERS = {"Aardvark": "The first of two. 🙂🙂", "Badger": "A second one, quite **long**. " * 30}
# What a voter could know a model by, in whatever comes from the server.
TELLING = ("Aardvark", "Badger", "echo", "Echo", "tok/s", "speed", "peak", "bytes", "Failing")
# Keeps all that the server sends to this tab from now on.
LISTEN = """() => {
  window.told = [];
  const real = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await real(...asked);
    const reader = answer.clone().body?.getReader();
    const decoder = new TextDecoder();
    const read = async () => {
      const { done, value } = await reader.read();
      if (done) return;
      window.told.push(decoder.decode(value, { stream: true }));
      read();
    };
    if (reader) read().catch(() => {});
    return answer;
  };
}"""
TOLD = "window.told.join('')"
SHOWN = "document.querySelector('#board').outerHTML + document.title"
ROW = ".vote-row"


@pytest.fixture(scope="module")
def blind_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page whose history and votes are its own."""
    folder = tmp_path_factory.mktemp("blind")
    models = folder / "models"
    models.mkdir()
    for name, text in ANSWERS.items():
        (models / f"{name}.echo.json").write_text(json.dumps({"text": text}))
    broken = {"text": "some words first", "fault": "raise", "fault_after": 2}
    (models / "Failing.echo.json").write_text(json.dumps(broken))
    data = str(folder / "data")
    server = start_server(models, folder / "log.txt", COMPARATOR_DATA_DIR=data)
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def blind_tab(open_tab: Callable[..., Page], blind_server: Server) -> Page:
    tab = open_tab(blind_server.url)
    wait_for_models(tab)
    return tab


def no_name(text: str) -> None:
    """Fail where something tells who is who."""
    telling = [word for word in TELLING if word in text]
    assert telling == [], text[max(0, text.find(telling[0]) - 300) :][:600]


def test_a_blind_question_tells_no_name_before_the_vote_and_all_of_it_after(
    blind_tab: Page,
) -> None:
    tab = blind_tab
    choose(tab, "Aardvark", "Badger")
    tab.check("#blind input")
    tab.evaluate(LISTEN)
    ask(tab, "hello", "Aardvark", "Badger")
    expect(tab.locator(f"{ROW}.blind .vote-names")).to_be_visible()
    for slot in (0, 1):
        wait_for_state(tab, slot, "done")
    assert "quite **long**" in tab.evaluate(TOLD), "what is listened to has the answers"
    for text in (tab.evaluate(TOLD), tab.evaluate(SHOWN)):
        no_name(text)
    expect(tab.locator(".export")).not_to_be_visible()
    expect(tab.locator(".reply h2")).to_have_text(["A", "B"])
    assert found(tab) == [], "what axe finds"

    tab.get_by_role("tab", name="History").click()
    expect(tab.locator(".history-columns bdi")).to_have_text(["A", "B"])
    no_name(tab.evaluate(TOLD))
    tab.reload()
    wait_for_models(tab)
    tab.get_by_role("tab", name="History").click()
    tab.evaluate(LISTEN)
    tab.locator(".history-question").first.click()
    expect(tab.locator(f"{ROW}.blind .vote-names")).to_be_visible()
    no_name(tab.evaluate(TOLD))
    no_name(tab.evaluate(SHOWN))

    long = 0 if "quite" in tab.locator(".reply[data-slot='0'] .answer").inner_text() else 1
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("ab"[long])
    expect(tab.locator(".reply h2").nth(long)).to_have_text("Badger")
    expect(tab.locator(f"{ROW} [aria-pressed='true']")).to_have_text("AB"[long])
    expect(tab.locator(".vote-words")).to_have_text(f"Your blind vote: {'AB'[long]} · Badger.")
    expect(tab.locator(".export")).to_be_visible()
    expect(tab.locator(".numbers").first).to_contain_text("First token")

    tab.get_by_role("tab", name="Evaluate").click()
    tab.locator("#ratings").scroll_into_view_if_needed()
    rows = tab.locator(".ratings-table tbody th bdi")
    expect(rows).to_have_text(["Badger", "Aardvark"])
    expect(tab.locator(".ratings-count")).to_have_text("1 blind votes of 1.")
    tab.locator(".ratings-next button").click()
    expect(tab.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    expect(tab.locator("#blind input")).to_be_checked()
    expect(tab.locator("#model-c input")).not_to_be_visible()


@pytest.mark.slow
def test_what_fails_is_told_with_the_names_and_a_vote_with_known_names_is_another(
    blind_tab: Page,
) -> None:
    tab = blind_tab
    choose(tab, "Aardvark", "Failing")
    tab.check("#blind input")
    ask(tab, "hello", "Aardvark", "Failing")
    expect(tab.locator(".vote-words")).to_contain_text("There is no vote, since this column")
    expect(tab.locator(".reply[data-state='failed'] h2")).to_have_text("Failing")
    tab.uncheck("#blind input")
    ask(tab, "once more", "Aardvark", "Badger")
    expect(tab.locator(".reply h2").first).to_have_text("Aardvark")
    button = tab.locator(f"{ROW} [data-answer='tie']")
    button.click()
    expect(tab.locator(".vote-words")).to_have_text("Your vote, with the names known: Tie.")
    tab.click(".vote-back")
    expect(tab.locator(".vote-words")).to_have_text("Which answer is better?")
    expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
def test_one_model_alone_cannot_be_asked_blind(blind_tab: Page) -> None:
    choose(blind_tab, "Aardvark")
    blind_tab.check("#blind input")
    ask(blind_tab, "hello", "Aardvark")
    expect(blind_tab.locator(".board-error")).to_contain_text("need two to four models")
