"""The main job on four starter models, and the page without any model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from one_core import on_one_core
from playwright.sync_api import Page, expect

from comparator.library.changes.starter import PLACES
from tests.ui.conftest import choose, reply, start_server, wait_for_state


@pytest.mark.slow
def test_without_models_the_page_offers_the_starter_set(
    open_tab: Callable[..., Page], tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    server = start_server(tmp_path / "models", tmp_path / "log.txt")
    try:
        tab = open_tab(server.url)
        expect(tab.locator("#starter")).to_be_visible()
        expect(tab.locator("#install")).to_have_text("Install the starter set")
        (tmp_path / "models" / "Late.echo.json").write_text("{}")
        tab.click("#refresh")
        expect(tab.locator("#starter")).not_to_be_visible()
        assert tab.input_value("#model-a input").startswith("Late")
    finally:
        assert server.end() == 143


@pytest.mark.slow
@pytest.mark.native
def test_the_starter_set_is_installed_in_the_browser_and_answers(
    open_tab: Callable[..., Page], tmp_path: Path
) -> None:
    models_dir = tmp_path / "models"
    server = start_server(models_dir, tmp_path / "log.txt", begin=on_one_core)
    try:
        tab = open_tab(server.url)
        expect(tab.locator("#starter")).to_be_visible()
        tab.click("#install")
        expect(tab.locator("#starter-progress progress")).to_be_visible()
        expect(tab.locator("#starter")).not_to_be_visible(timeout=120_000)
        assert all((models_dir / place).exists() for place in PLACES.values())
        choose(tab, "Q2_K", "Q4_1", "Q8_0", "PyTorch")
        facts = tab.locator("#models .facts").all_text_contents()
        assert [words.split(" · ")[0] for words in facts] == ["GGUF"] * 3 + ["PyTorch"]
        tab.fill("#max-tokens input", "8")
        tab.fill("#prompt textarea", "Name a colour.")
        tab.press("#prompt textarea", "Enter")
        for slot in range(4):
            wait_for_state(tab, slot, "done", 120)
    finally:
        assert server.end() == 143
    assert "Traceback" not in server.log.read_text()


@pytest.mark.native
def test_four_starter_models_answer_side_by_side(
    open_tab: Callable[..., Page], starter_models_dir: Path, tmp_path: Path
) -> None:
    server = start_server(starter_models_dir, tmp_path / "log.txt", begin=on_one_core)
    try:
        tab = open_tab(server.url)
        choose(tab, "Q2_K", "Q4_1", "Q8_0", "PyTorch")
        tab.fill("#max-tokens input", "24")
        tab.fill("#seed input, #seed textarea", "1")
        tab.fill("#prompt textarea", "Name three colours of the rainbow.")
        tab.click("#run")
        for slot in range(4):
            wait_for_state(tab, slot, "done", 120)
            assert reply(tab, slot).locator(".plain").evaluate("n => n.textContent").strip()
            labels = reply(tab, slot).locator("dt").all_text_contents()
            assert labels == ["First token", "Speed", "Tokens", "Peak memory", "Load"]
        tab.fill("#max-tokens input", "1000")
        tab.press("#prompt textarea", "Enter")
        wait_for_state(tab, 0, "writing", 60)
        tab.keyboard.press("Escape")
        for slot in range(4):
            wait_for_state(tab, slot, "stopped")
    finally:
        assert server.end() == 143
    assert "Traceback" not in server.log.read_text()
