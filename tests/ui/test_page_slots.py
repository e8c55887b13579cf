"""Fields that may be left empty, and what makers advise, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import ask, choose, reply, wait_for_state


@pytest.fixture
def wise(echo_models_dir: Path) -> Iterator[None]:
    """Beside the echo models the header of a file whose maker advises a sampling.

    Its chat template knows a switch for thoughts.
    """
    from gguf import GGUFWriter

    file = echo_models_dir / "Wise.gguf"
    writer = GGUFWriter(file, "llama")
    writer.add_float32("general.sampling.temp", 0.6)
    writer.add_float32("general.sampling.top_p", 0.95)
    writer.add_chat_template("{{ messages }}{% if enable_thinking %}{% endif %}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    yield
    file.unlink()


@pytest.mark.usefixtures("wise")
def test_makers_advice_is_shown_while_it_is_not_taken(open_tab: Callable[..., Page]) -> None:
    tab = open_tab()
    choose(tab, "Wise", "Quick")
    said = tab.locator("#advice")
    expect(said).to_have_text("Wise: Its maker advises temperature 0.6, top_p 0.95.")
    tab.fill("#temperature input", "0.6")
    expect(said).to_have_text("Wise: Its maker advises top_p 0.95.")
    tab.click("#more button")
    expect(tab.locator("#sampling input")).to_have_value("same for all")
    tab.click("#sampling input")
    tab.click('ul[role=listbox] li:has-text("the maker\'s")')
    expect(said).not_to_be_visible()


@pytest.mark.usefixtures("wise")
def test_what_only_some_templates_know_is_offered_where_the_models_own_does(
    open_tab: Callable[..., Page],
) -> None:
    tab = open_tab()
    choose(tab, "Wise", "Quick")
    templates = [f"#own-setting-{name}" for name in ("thinking", "template_args")]
    for letter, known in (("a", "Its template knows thinking=on|off"), ("b", "")):
        tab.click(f"#own-{letter} .slot-settings")
        expect(tab.locator("#own-setting-temperature")).to_be_visible()
        expect(tab.locator("#slot-form .known-settings")).to_have_text([known] if known else [])
        expect(tab.locator(", ".join(templates))).to_have_count(2 if known else 0)
        expect(tab.locator("#own-setting-reasoning_effort")).to_have_count(0)
        tab.keyboard.press("Escape")


def test_an_empty_field_is_no_limit(tab: Page) -> None:
    choose(tab, "Quick")
    field = tab.locator("#max-tokens input")
    expect(field).to_have_value("512")
    field.fill("2")
    ask(tab, "one two three", "Quick")
    wait_for_state(tab, 0, "done")
    expect(reply(tab, 0).locator(".answer .markdown")).to_have_text("one two ")
    field.fill("")
    expect(field).to_have_attribute("placeholder", "until it ends")
    ask(tab, "one two three", "Quick")
    expect(reply(tab, 0).locator(".answer .markdown")).to_have_text("one two three")


def test_the_checkbox_is_there_on_a_page_of_ones_own(tab: Page) -> None:
    tab.click("#more button")
    expect(tab.get_by_label("Run code that comes with a model")).to_be_visible()
