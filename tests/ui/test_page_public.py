"""A page that others can reach: a model's own code is refused for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.ui.conftest import (
    Server,
    ask,
    reply,
    set_own,
    start_server,
    wait_for_models,
    wait_for_state,
)

CODE = "Run code that comes with a model"
REFUSED = "trust_remote_code is refused on a page that others can reach"


@pytest.fixture(scope="module")
def public(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page on every address of this machine."""
    log = tmp_path_factory.mktemp("public") / "log.txt"
    server = start_server(echo_models_dir, log, GRADIO_SERVER_NAME="0.0.0.0")
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143


def test_the_checkbox_is_there_on_a_page_of_ones_own(tab: Page) -> None:
    tab.click("#more button")
    expect(tab.get_by_label(CODE)).to_be_visible()


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


@pytest.mark.parametrize(
    "config", [{"trust_remote_code": True}, {"per_model": {"Quick": {"trust_remote_code": 1}}}]
)
def test_a_public_endpoint_takes_no_such_setting(public: Server, config: dict[str, object]) -> None:
    client = Client(public.url, verbose=False)
    with pytest.raises(AppError, match=REFUSED):
        client.predict("hi", ["Quick"], "", config, api_name="/compare")
    assert public.runs() == []
    client.close()
