"""Take the picture of the page for README: start it, run a comparison, save ``docs/page.png``.

Usage: ``python scripts/make_screenshot.py MODELS_DIR [OUTPUT] [--dark]``
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
PROMPT = "Why is the sky blue? Answer in a few sentences, then list three other colours of the sky."
SETTLED = ("done", "failed", "stopped")
START_SECONDS, RUN_SECONDS = 90, 600


def main() -> None:
    """Start the page, compare the first four models, and save the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models_dir", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=REPOSITORY / "docs" / "page.png")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--max-tokens", default="160")
    arguments = parser.parse_args()
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "COMPARATOR_MODELS_DIR": str(arguments.models_dir.resolve()),
            "GRADIO_SERVER_PORT": str(port),
        },
    )
    try:
        address = f"http://127.0.0.1:{port}/"
        _wait_for(address, server)
        _take(address, arguments)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _take(address: str, arguments: argparse.Namespace) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(
            viewport={"width": 1280, "height": 800},
            color_scheme="dark" if arguments.dark else "light",
        )
        tab.goto(address)
        tab.wait_for_selector("#board-root .modes")
        tab.wait_for_function(
            "(document.querySelector('#model-a input')?.value || 'none') !== 'none'"
        )
        count = _choose_all(tab)
        tab.fill("#max-tokens input", arguments.max_tokens)
        tab.fill("#seed input, #seed textarea", "1")
        tab.fill("#prompt textarea", arguments.prompt)
        tab.press("#prompt textarea", "Enter")
        states = ", ".join(f".reply[data-state='{state}']" for state in SETTLED)
        tab.wait_for_function(
            f'document.querySelectorAll("{states}").length === {count}',
            timeout=RUN_SECONDS * 1000,
        )
        tab.wait_for_selector("body:not(.comparing)")
        tab.evaluate("document.querySelectorAll('.answer').forEach((a) => { a.scrollTop = 0; })")
        tab.evaluate("document.activeElement.blur()")
        tab.screenshot(path=str(arguments.output))
        browser.close()


def _choose_all(tab: Any) -> int:
    """Choose a model in each list, as many as there are, and return how many."""
    count = 1
    for position, letter in enumerate("abcd", start=1):
        tab.click(f"#model-{letter} input")
        entries = tab.locator("ul[role=listbox] li")
        entries.first.wait_for()
        count = min(4, entries.count() - 1)
        entries.nth(min(position, count)).click()
        tab.wait_for_selector("ul[role=listbox]", state="hidden")
        if position == count:
            break
    return count


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The page did not start.")


if __name__ == "__main__":
    main()
