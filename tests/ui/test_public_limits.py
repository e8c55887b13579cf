"""What a public page refuses, also at its endpoints, and what its visitors see of each other."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.ui.conftest import (
    Server,
    ask,
    choose,
    public_server,
    reply,
    set_own,
    until,
    wait_for_models,
    wait_for_state,
)
from tests.ui.test_evaluate_tab import client_of, open_evaluate, state, suite_run
from tests.ui.test_evaluate_tab import run as ask_suite
from tests.ui.test_history_tab import open_history

LIMITS = (
    *("prompt_bytes=200", "tokens=20", "models=2", "visitor_per_minute=6", "all_per_minute=40"),
    "suite_answers=6",
)
CODE = "Run code that comes with a model"
REFUSED = "trust_remote_code is refused on a page that others can reach"


@pytest.fixture(scope="module")
def public(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``comparator serve --public`` with small limits."""
    with public_server(
        echo_models_dir, tmp_path_factory.mktemp("public") / "log.txt", LIMITS
    ) as server:
        yield server


@pytest.fixture
def client(public: Server) -> Iterator[Client]:
    """A visitor: over loopback each session counts as one."""
    client = Client(public.url, verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def refused(public: Server) -> Iterator[Client]:
    """One that all refusals go to: they leave nothing of it behind."""
    client = Client(public.url, verbose=False)
    yield client
    client.close()


def compare(client: Client, *arguments: Any) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = client.predict(*arguments, api_name="/compare")
    return result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x" * 201, ["Quick"], "", {}), "this public page takes 200"),
        (("hi", ["Quick"], "x" * 201, {}), "system prompt has 201 bytes"),
        (("hi", ["Quick"], "", {"max_tokens": 21}), "max_tokens may be up to 20"),
        (("hi", ["Quick"], "", {"per_model": {"Quick": {"max_tokens": 21}}}), "may be up to 20"),
        (("hi", ["Quick"] * 3, "", {}), "up to 2 models"),
        (("hi", ["Quick"], "", {"n_threads": 64}), "n_threads cannot be changed"),
        (("hi", ["Quick"], "", {"trust_remote_code": True}), "is refused on a page that others"),
        (("hi", ["/etc/passwd"], "", {}), "No model '/etc/passwd'"),
        (("hi", ["../Quick.echo.json"], "", {}), "No model"),
        (("hi", ["org/name"], "", {}), "No model 'org/name'"),
        (("hi", ["Quick"], "", {"rm": 1}), "rm"),
        ((["hi"], ["Quick"], "", {}), "prompt must be text"),
    ],
)
def test_limits_hold_on_the_raw_endpoint(
    public: Server, refused: Client, arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(AppError, match=words):
        compare(refused, *arguments)
    assert public.runs() == []


def test_what_is_allowed_is_answered_without_a_path(public: Server, client: Client) -> None:
    (record,) = compare(client, "hi there", ["Quick"], "", {"max_tokens": 20})
    assert record["content"] == "hi there"
    shown = json.dumps([record, client.predict(api_name="/models")])
    assert str(Path(record["model"]["file"]).name) == "Quick.echo.json"
    for secret in (str(Path.home()), "/tmp", "echo_models"):
        assert secret not in shown, secret


def test_defaults_are_those_of_the_limits(client: Client) -> None:
    (record,) = compare(client, "hi", ["Quick"], "", {})
    assert record["config"]["max_tokens"] == 20
    warm = {"per_model": {"Quick": {"temperature": 1.5}}}
    (record,) = compare(client, "hi", ["Quick"], "", warm)
    assert (record["config"]["max_tokens"], record["config"]["temperature"]) == (20, 1.5)


def test_the_pages_fields_are_those_of_the_limits(
    open_tab: Callable[..., Page], public: Server
) -> None:
    tab = open_tab(public.url)
    choose(tab, "Quick")
    tokens, context = tab.locator("#max-tokens input"), tab.locator("#context input")
    expect(tokens).to_have_value("20")
    expect(tokens).to_have_attribute("max", "20")
    tab.click("#more button")
    expect(context).to_have_value("2048")
    expect(context).to_have_attribute("max", "4096")
    tab.click("#own-a .slot-settings")
    expect(tab.locator("#own-setting-max_tokens")).to_have_attribute("placeholder", "1 to 20")
    tab.keyboard.press("Escape")
    expect(tab.locator("#own-c, #model-c, #threads")).to_have_count(0)
    tokens.fill("21")
    ask(tab, "one two", "Quick")
    expect(tab.locator(".board-error")).to_contain_text("max_tokens may be up to 20")
    assert public.runs() == []
    tokens.fill("20")
    ask(tab, "one two", "Quick")
    wait_for_state(tab, 0, "done")
    assert "Traceback" not in public.log.read_text()


def test_one_comparison_a_visitor_and_a_rate(public: Server, client: Client) -> None:
    job = client.submit("hi", ["Loading"], "", {}, api_name="/compare")
    until(public.runs)
    with pytest.raises(AppError, match="still running"):
        compare(client, "hi", ["Quick"], "", {})
    client.predict(api_name="/stop")
    job.result(timeout=60)
    until(lambda: not public.runs())
    for _ in range(5):
        compare(client, "hi", ["Quick"], "", {})
    with pytest.raises(AppError, match=r"You have begun 6 comparisons.*Try again in \d+ seconds"):
        compare(client, "hi", ["Quick"], "", {})


@pytest.mark.parametrize(
    "path",
    ["gradio_api/upload", "gradio_api/file=/etc/passwd", "monitoring", "gradio_api/run-history"],
)
def test_routes_that_the_page_does_not_use_are_closed(public: Server, path: str) -> None:
    assert httpx.get(f"{public.url}{path}").status_code == 404
    assert httpx.post(f"{public.url}{path}", content=b"x").status_code == 404


def test_a_huge_body_is_refused(public: Server) -> None:
    data = {"data": ["x" * 5_000_000, ["Quick"], "", {}]}
    response = httpx.post(f"{public.url}gradio_api/call/compare", json=data, timeout=60)
    assert response.status_code == 413
    assert "more than the 1000000 bytes" in response.json()["detail"]
    assert public.runs() == []


def test_another_visitors_session_is_worth_nothing(public: Server) -> None:
    one, other = Client(public.url, verbose=False), Client(public.url, verbose=False)
    job = one.submit("hi", ["Loading"], "", {}, api_name="/compare")
    until(public.runs)
    assert other.predict(api_name="/stop") is False
    assert public.runs() != []
    assert one.predict(api_name="/stop") is True
    job.result(timeout=60)
    one.close()
    other.close()


def test_the_page_works_and_offers_only_what_is_allowed(
    open_tab: Callable[..., Page], public: Server
) -> None:
    tab = open_tab(public.url)
    wait_for_models(tab)
    tab.get_by_role("tab", name="Library").click()
    name = tab.get_by_role("gridcell", name="Quick", exact=True)
    expect(name.and_(tab.locator("td.name"))).to_be_visible()
    for word in ("Make a ladder", "Remove"):
        expect(tab.get_by_role("button", name=word)).to_have_count(0)
    expect(tab.get_by_role("tab", name="Get models")).to_have_count(0)
    assert str(Path.home()) not in tab.content()


def test_its_log_says_that_nobody_has_to_log_in(public: Server) -> None:
    assert "WARNING: others can reach this page" in public.log.read_text()


# ---- code that comes with a model ----


def test_a_public_page_has_no_checkbox_and_takes_no_such_setting(
    open_tab: Callable[..., Page], public: Server
) -> None:
    tab = open_tab(public.url)
    wait_for_models(tab)
    tab.click("#more button")
    expect(tab.get_by_label(CODE)).to_have_count(0)
    tab.click("#own-a .slot-settings")
    expect(tab.locator("#own-setting-seed")).to_be_visible()
    expect(tab.locator("#own-setting-trust_remote_code, #own-setting-n_threads")).to_have_count(0)
    tab.click("#slot-form .form-done")
    set_own(tab, "a", "seed", "3")
    ask(tab, "two words", "Quick")
    wait_for_state(tab, 0, "done")
    expect(reply(tab, 0).locator(".answer .markdown")).to_have_text("two words")


def test_a_public_endpoint_takes_no_such_setting(public: Server, refused: Client) -> None:
    for config in ({"trust_remote_code": True}, {"per_model": {"Quick": {"trust_remote_code": 1}}}):
        with pytest.raises(AppError, match=REFUSED):
            compare(refused, "hi", ["Quick"], "", config)
    assert public.runs() == []


# ---- other visitors ----


def test_on_a_public_page_nobody_sees_anothers_history(
    open_tab: Callable[..., Page], public: Server
) -> None:
    word = secrets.token_hex(6)
    anna, ben = open_tab(public.url), open_tab(public.url)
    ask(anna, f"mine {word}", "Quick")
    wait_for_state(anna, 0, "done")
    open_history(anna)
    expect(anna.locator(".history-row", has_text=word)).to_have_count(1)
    again = anna.context.new_page()  # another tab of the same browser
    again.goto(public.url)
    again.wait_for_selector("#board-root .modes")
    open_history(again)
    expect(again.locator(".history-row", has_text=word)).to_have_count(1)
    open_history(ben)
    expect(ben.locator(".history-empty h2")).to_be_visible()
    assert ben.locator(".history-row").count() == 0
    (cookie,) = anna.context.cookies()
    assert (cookie["name"], cookie["httpOnly"]) == ("comparator_browser", True)


def test_on_a_public_page_a_suite_is_its_visitors_and_ends_with_them(
    open_tab: Callable[..., Page], public: Server
) -> None:
    word = secrets.token_hex(6)
    anna, ben = open_tab(public.url), open_tab(public.url)
    ask_suite(anna, word, "Loading")
    expect(state(anna)).to_have_attribute("data-state", "running")
    open_evaluate(ben)
    expect(ben.locator(".evaluate-kept-list .notice")).to_be_visible()
    assert ben.locator(".evaluate-kept-list .history-row").count() == 0
    again = anna.context.new_page()  # another tab of the same browser
    again.goto(public.url)
    again.wait_for_selector("#board-root .modes")
    open_evaluate(again)
    expect(again.locator(".evaluate-body")).to_contain_text(word)
    anna.close()
    expect(state(again)).to_contain_text("interrupted")


def test_on_a_public_page_a_suite_is_small_ones_own_and_ends_with_its_visitor(
    public: Server,
) -> None:
    anna, ben = client_of(public), client_of(public)
    with pytest.raises(AppError, match="8 answers; this public page takes 6"):
        suite_run(anna, "\n".join("abcd"), "Quick", "Thinker").result(timeout=60)
    asks_python = [{"prompt": "a", "assert": [{"type": "python", "value": "True"}]}]
    with pytest.raises(AppError, match="'python' assertions are not for a public page"):
        suite_run(anna, asks_python, "Quick").result(timeout=60)
    job = suite_run(anna, "one", "Loading")
    name = until(lambda: job.outputs() and job.outputs()[0]["id"])
    until(lambda: public.runs())
    for wanted in (name, "last"):
        with pytest.raises(AppError, match="No suite"):
            ben.predict(wanted, api_name="/suite_show")
    assert ben.predict(api_name="/stop") is False
    assert public.runs()
    anna.close()
    job.cancel()
    until(lambda: not public.runs())
    ben.close()
