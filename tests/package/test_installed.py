"""What a person has who installed the wheel into an empty environment, far from any checkout."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.package.conftest import REPOSITORY, Installed
from tests.ui import conftest as pages

pytestmark = pytest.mark.timeout(1800)  # installing alone takes minutes
QUESTION = "Name a colour."


@pytest.fixture(scope="module")
def models(installed: Installed) -> list[str]:
    """The starter models, made offline in the folder that programs run in, and an echo model."""
    done = installed.run("comparator", "starter", "--models-dir", "models")
    assert done.returncode == 0, done.stderr
    (installed.folder / "models" / "Parrot.echo.json").write_text('{"text": "as you say"}')
    listed = installed.run("comparator", "models", "--json")
    assert listed.returncode == 0, listed.stderr
    return [model["name"] for model in json.loads(listed.stdout)]


def test_it_is_ours_that_is_installed_and_no_checkout_that_is_found(installed: Installed) -> None:
    code = "import comparator, runners; print(comparator.__file__, runners.__file__)"
    done = installed.run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(installed.folder)) for path in done.stdout.split())
    assert str(REPOSITORY) not in done.stdout


def test_it_lists_the_models_that_it_made_offline(models: list[str]) -> None:
    assert {"Parrot", "SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1"} <= set(models)


def test_a_comparison_of_every_engine_is_answered(installed: Installed, models: list[str]) -> None:
    asked = ["Parrot", "SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1"]
    slots = [word for name in asked for word in ("-m", name)]
    options = ["-p", QUESTION, "--max-tokens", "8", "--greedy", "-o", "jsonl"]
    done = installed.run("comparator", "run", *slots, *options)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["model"]["name"] for record in records] == asked
    for record in records:
        assert record["error"] is None
        assert record["content"].strip()


def test_the_page_opens_and_answers(
    installed: Installed, models: list[str], tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(tmp_path / "log.txt", "wb") as log:
        server = subprocess.Popen(
            [str(installed.programs / "comparator"), "serve", "--server-port", str(port)],
            cwd=installed.folder, env=installed.variables(), stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        pages.until(lambda: "The page is at" in (tmp_path / "log.txt").read_text(), 600)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=pages.CHROMIUM, args=pages.FLAGS)
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{port}/")
            tab.wait_for_selector("#board-root .modes")
            pages.ask(tab, QUESTION, "Parrot")
            pages.wait_for_state(tab, 0, "done", 300)
            assert pages.reply(tab, 0).locator(".answer").inner_text().strip()
            browser.close()
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) is not None


def test_the_sdist_installs_as_the_wheel_does(installed: Installed, models: list[str]) -> None:
    """Last, because it takes the wheel's place."""
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--force-reinstall"]
    done = installed.run("python", "-m", "pip", "install", *quiet, str(installed.sdist))
    assert done.returncode == 0, done.stderr
    listed = installed.run("comparator", "models", "--json")
    assert [model["name"] for model in json.loads(listed.stdout)] == models
