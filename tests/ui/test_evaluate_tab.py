"""The Evaluate tab in a browser, from prompts to their report, and the endpoints of suites."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Locator, Page, expect

from tests.ui.conftest import Server, choose, start_server, until

ASSERTED = [
    {"id": "apple", "prompt": "apple pie", "assert": [{"type": "contains", "value": "apple"}]},
    {"id": "pear", "prompt": "pear", "assert": [{"type": "contains", "value": "apple"}],
     "tags": ["fruit"]},
    {"id": "free", "prompt": "<img src=x onerror=alert(1)> free"},
]  # fmt: skip


@pytest.fixture(scope="module")
def own(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page of its own: one suite at a time runs on a server."""
    folder = tmp_path_factory.mktemp("own")
    data = str(folder / "data")
    server = start_server(echo_models_dir, folder / "log.txt", COMPARATOR_DATA_DIR=data)
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143
    assert "Traceback" not in server.log.read_text()


def open_evaluate(tab: Page) -> None:
    """Go to the tab."""
    tab.click("#evaluate-tab-button")
    expect(tab.locator("#evaluate-text")).to_be_visible()


def cell(tab: Page, prompt: int, slot: int) -> Locator:
    """Return a cell of the matrix."""
    return tab.locator(f"#evaluate-cell-{prompt}-{slot} .evaluate-sign")


def run(tab: Page, prompts: str, *models: str) -> None:
    """Type prompts and ask them."""
    choose(tab, *models)
    open_evaluate(tab)
    tab.fill("#evaluate-text", prompts)
    expect(tab.locator(".evaluate-count")).to_be_visible()
    tab.click("#evaluate-begin")


def state(tab: Page) -> Locator:
    """Return what says how far the suite is."""
    return tab.locator(".evaluate-told")


def _as_file(name: str, text: str) -> dict[str, object]:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def test_a_suite_from_its_file_to_its_report_and_its_deletion(
    open_tab: Callable[..., Page], own: Server, tmp_path: Path
) -> None:
    tab = open_tab(own.url)
    choose(tab, "Quick", "Failing")
    open_evaluate(tab)
    tab.fill("#evaluate-text", "this stays")
    tab.check("#evaluate input[value=file]")
    tab.set_input_files("#evaluate-file", _as_file("bad.jsonl", '{"prompt": "a"}\n{"prompt": 3}'))
    expect(tab.locator(".evaluate-start [role=alert]")).to_contain_text("2")
    tab.check("#evaluate input[value=paste]")
    expect(tab.locator("#evaluate-text")).to_have_value("this stays")
    expect(tab.locator(".evaluate-count")).to_contain_text("Prompts: 1,")
    tab.check("#evaluate input[value=file]")
    lines = "\n".join(map(json.dumps, ASSERTED))
    tab.set_input_files("#evaluate-file", _as_file("fruit.jsonl", lines))
    expect(tab.locator(".evaluate-count")).to_contain_text("Prompts: 3, assertions: 2")
    expect(tab.locator(".evaluate-preview code").first).to_have_text("contains apple")
    expect(tab.locator(".evaluate-models")).to_contain_text("A: Quick")
    tab.click("#evaluate-begin")

    expect(state(tab)).to_contain_text("done · 6 of 6 answers")
    for prompt, sign in enumerate(("✓", "✗", "●")):
        expect(cell(tab, prompt, 0)).to_have_text(sign)
        expect(cell(tab, prompt, 1)).to_have_text("!")
    assert tab.locator("#evaluate img").count() == 0

    grid = tab.locator(".evaluate-grid")
    grid.focus()
    tab.keyboard.press("ArrowDown")
    expect(grid).to_have_attribute("aria-activedescendant", "evaluate-cell-1-0")
    tab.keyboard.press("Enter")
    answer = tab.locator(".evaluate-answer")
    expect(answer.locator(".evaluate-outcomes")).to_contain_text("an assertion failed")
    expect(answer).to_contain_text("pear")
    expect(answer).to_be_focused()
    tab.keyboard.press("Escape")
    expect(answer).to_be_hidden()
    expect(grid).to_be_focused()

    rows = tab.locator(".evaluate-body .evaluate-row")
    tab.get_by_label("Tag").select_option("fruit")
    expect(rows).to_have_count(1)
    tab.get_by_label("Tag").select_option("")
    tab.get_by_label("Words").fill("apple pie")
    expect(rows).to_have_count(1)
    tab.get_by_label("Words").fill("nowhere")
    expect(grid).to_be_hidden()
    tab.get_by_label("Words").fill("")
    tab.locator(".evaluate-filters select").first.select_option("differ")
    expect(rows).to_have_count(3)

    summary = tab.locator(".evaluate-summary tbody tr")
    expect(summary.first).to_contain_text("50 % (")
    for form in ("html", "json"):
        with tab.expect_download() as download:
            tab.click(f".evaluate-export [data-form={form}]")
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        assert "pear" in file.read_text(encoding="utf-8")

    kept = tab.locator(".evaluate-kept-list .history-row")
    expect(kept).to_have_count(1)
    kept.get_by_role("button", name="Delete", exact=True).click()
    kept.get_by_role("button", name="Delete it").click()
    expect(kept).to_have_count(0)


@pytest.mark.slow
def test_a_suite_goes_on_when_its_page_is_loaded_anew_and_after_a_stop(
    open_tab: Callable[..., Page], own: Server
) -> None:
    word = secrets.token_hex(6)
    tab = open_tab(own.url)
    tab.fill("#max-tokens input", "")  # until it is stopped
    run(tab, f"one {word}\ntwo", "Quick", "Endless")
    expect(cell(tab, 1, 0)).to_have_text("●")
    expect(cell(tab, 1, 1)).to_have_text("·")
    tab.reload()
    tab.wait_for_selector("#board-root .modes")
    open_evaluate(tab)
    expect(tab.locator(".evaluate-body")).to_contain_text(word)
    expect(cell(tab, 1, 0)).to_have_text("●")
    expect(state(tab)).to_have_attribute("data-state", "running")

    asks = open_tab(own.url)  # a comparison waits meanwhile, and says for what
    choose(asks, "Quick")
    asks.fill("#prompt textarea", "hello")
    asks.press("#prompt textarea", "Enter")
    expect(asks.locator(".board-note")).to_contain_text("A suite of many prompts is running")

    tab.click("#evaluate-stop")
    expect(state(tab)).to_contain_text("interrupted")
    asks.wait_for_selector(".reply[data-slot='0'][data-state='done']")
    tab.locator(".evaluate-bar").get_by_role("button", name="Go on").click()
    expect(state(tab)).to_have_attribute("data-state", "running")
    tab.click("#evaluate-stop")
    expect(state(tab)).to_contain_text("interrupted")
    expect(cell(tab, 0, 0)).to_have_text("●")


# ---- the same through /suite_run and /suite_show ----

ITEMS = [
    {"id": "apple", "prompt": "apple", "assert": [{"type": "contains", "value": "apple"}]},
    "pear",
]


def client_of(server: Server) -> Client:
    """Return a program that uses the page's endpoints."""
    return Client(server.url, verbose=False)


def suite_run(client: Client, suite: Any, *models: str, **more: Any) -> Any:
    """Ask models a suite."""
    return client.submit(suite, list(models), api_name="/suite_run", **more)


def test_a_program_runs_a_suite_and_finds_it_again(own: Server, echo_models_dir: Path) -> None:
    client = client_of(own)
    job = suite_run(client, ITEMS, "Quick", "Failing", config={"seed": 3}, repeat=2, name="Fruit")
    whole = job.result(timeout=120)
    first = job.outputs()[0]
    assert set(first) == {"id", "name", "state", "progress"}
    assert (first["progress"]["total"], first["name"]) == (8, "Fruit")
    assert (whole["state"], whole["prompts"], whole["repeats"]) == ("done", 2, 2)
    assert [line["answered"] for line in whole["summary"]] == [4, 0]
    assert whole["progress"]["done"] == whole["progress"]["failed"] == 4
    assert whole["slots"][0]["config"]["seed"] == 3
    shown = client.predict(whole["id"][:6], api_name="/suite_show")
    assert shown["cells"] == whole["cells"]
    assert "owner" not in shown
    assert str(echo_models_dir) not in str(shown)
    for wrong, sentence in (
        (7, "suite must be"),
        ([{"prompt": 3}], "prompt"),
        ("", "Type prompts"),
    ):
        with pytest.raises(AppError, match=sentence):
            suite_run(client, wrong, "Quick").result(timeout=60)
    with pytest.raises(AppError, match="No suite 'abcdabcd'"):
        client.predict("abcdabcd", api_name="/suite_show")
    client.close()


def test_a_suite_of_ones_own_goes_on_without_its_caller_until_it_is_stopped(own: Server) -> None:
    client, other = client_of(own), client_of(own)
    job = suite_run(client, "one", "Endless", config={"max_tokens": None})
    name = until(lambda: job.outputs() and job.outputs()[0]["id"])
    until(lambda: own.runs())
    with pytest.raises(AppError, match="A suite is running"):
        suite_run(other, "two", "Quick").result(timeout=60)
    assert other.predict(api_name="/stop") is False
    assert own.runs()
    assert client.predict(api_name="/stop") is True
    assert job.result(timeout=120)["state"] == "interrupted"
    until(lambda: not own.runs())
    assert other.predict(name, api_name="/suite_show")["state"] == "interrupted"
    client.close()
    other.close()
