"""A real server on echo models, a real browser, and helpers that wait for conditions."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect
from shared_browser import SharedBrowser

REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 180.0  # of a machine on which other things run
PATIENCE_SECONDS = 120.0  # for whatever comes in a moment where nothing else runs
expect.set_options(timeout=PATIENCE_SECONDS * 1000)
HOSTILE = """# Hostile

<script>window.hacked = "script"</script>
<img src="http://outside.invalid/a.png" onerror="window.hacked = 'image'">
![picture](http://outside.invalid/b.png) [press](javascript:window.hacked='link')
<iframe src="http://outside.invalid/c"></iframe> \x1b[2J \x00 and **bold** 用一句话 🙂
"""
RICH = r"""## A heading

It costs $5 and $6, while $x^2$ and \(y_1\) are formulas.

```python
def double(number: int) -> int:
    return 2 * number  # a note
```

| name | value |
|------|------:|
| pi   |  3.14 |

$$
\sum_{i=1}^{n} i = \frac{n (n + 1)}{2}
$$

A [link](https://outside.invalid/page), ![a picture](https://outside.invalid/p.png), $\frac{1$.
"""
THOUGHT = "<think>\nFirst the **plan**.\n\nThen <b>more</b>.\n</think>\n\nThe *answer* is **7**."
NOVEL = "# Title\n\nAll **work** and no\nplay. \n\n- one\n- two\n\n"
MODELS: dict[str, dict[str, Any]] = {
    "Crash": {"text": "some words first", "fault": "sigsegv", "fault_after": 2},
    # Models of their own for other tests: one that has crashed three times must wait.
    "Failing": {"text": "some words first", "fault": "raise", "fault_after": 2},
    "Repeatedly broken": {"text": "some words first", "fault": "sigsegv", "fault_after": 2},
    "Endless": {"text": "word ", "tokens": 100_000, "tokens_per_second": 50},
    "Hostile": {"text": HOSTILE, "load_seconds": 0.1},
    "Loading": {"load_seconds": 100},
    "Long": {"text": "All **work** and no play. ", "tokens": 2000},
    "Mended": {"text": "answer at last", "fault": "exit_3", "fault_after": 1},
    "Novel": {"text": NOVEL, "tokens": 4096, "tokens_per_second": 1000},
    "Quick": {},
    "Rich": {"text": RICH},
    "Thinker": {"text": THOUGHT, "tokens_per_second": 200},
    "This is a model whose name is much too long for any field, Instruct v3 final": {},
}


def until(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for a condition and return its value; fail when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.02)


@dataclass
class Server:
    """A page served by a process of its own."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def runs(self) -> list[psutil.Process]:
        """Return the model processes: children of the fork servers."""
        found = []
        for fork_server in psutil.Process(self.process.pid).children():
            try:
                found += fork_server.children()
            except psutil.Error:
                continue
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the server by a signal and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


def start_server(
    models_dir: Path,
    log: Path,
    command: Sequence[str] = ("app.py",),
    begin: Callable[[], None] | None = None,
    **environment: str,
) -> Server:
    """Start ``python app.py``, or another command, on a free port and wait until it answers.

    ``begin`` is called in its process first.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=begin,
            env={
                **os.environ,
                "COMPARATOR_MODELS_DIR": str(models_dir),
                "GRADIO_SERVER_PORT": str(port),
                **environment,
            },
        )
    server = Server(process, f"http://127.0.0.1:{port}/", log)
    try:
        until(lambda: process.poll() is not None or _answers(server.url), START_SECONDS)
        assert process.poll() is None, log.read_text()
    except BaseException:
        process.kill()
        process.wait(PATIENCE_SECONDS)
        raise
    return server


@contextlib.contextmanager
def public_server(models_dir: Path, log: Path, limits: Sequence[str]) -> Iterator[Server]:
    """Serve ``comparator serve --public`` with limits for a while."""
    flags = [word for limit in limits for word in ("--public-limit", limit)]
    server = start_server(models_dir, log, ("-m", "comparator", "serve", "--public", *flags))
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def echo_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with fakes for every fate, and one file that is no model."""
    directory = tmp_path_factory.mktemp("echo_models")
    for name, script in MODELS.items():
        (directory / f"{name}.echo.json").write_text(json.dumps(script))
    (directory / "broken.gguf").touch()
    return directory


@pytest.fixture(scope="session")
def server(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page on echo models; it must end in peace and without a traceback."""
    server = start_server(echo_models_dir, tmp_path_factory.mktemp("server") / "log.txt")
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test after which the shared server still has a model process."""
    yield
    if "server" in request.fixturenames:
        server: Server = request.getfixturevalue("server")
        until(lambda: not server.runs())


# Debian's chromium. It runs until the last test of this folder, since what drives it keeps an event
# loop in this thread, beside which other tests could not run theirs.
chromium = SharedBrowser(CHROMIUM, FLAGS, PATIENCE_SECONDS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """End the browser where no test of this folder follows."""
    yield
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        chromium.close()


@pytest.fixture(scope="module")
def browser() -> Browser:
    """The browser that all tests of pages share; who makes a session of it closes that."""
    return chromium.browser()


@pytest.fixture
def open_tab(server: Server) -> Iterator[Callable[..., Page]]:
    """Open the page in a browser session of its own, ready to be used."""
    with contextlib.ExitStack() as sessions:

        def open_tab(url: str = server.url, **options: Any) -> Page:
            tab = sessions.enter_context(chromium.session(**options)).new_page()
            tab.goto(url)
            tab.wait_for_selector("#board-root .modes")
            return tab

        yield open_tab


@pytest.fixture
def tab(open_tab: Callable[..., Page]) -> Page:
    """One tab on the page."""
    tab = open_tab()
    wait_for_models(tab)
    return tab


def wait_for_models(tab: Page) -> None:
    """Wait until the lists of models are filled."""
    tab.wait_for_function("(document.querySelector('#model-a input')?.value || 'none') !== 'none'")


def choose(tab: Page, *names: str) -> None:
    """Choose these models, and none in the lists that are left."""
    wait_for_models(tab)
    for letter, name in zip("abcd", [*names, *["none"] * 4], strict=False):
        field = tab.locator(f"#model-{letter} input")
        if name == "none" and not field.count():
            continue  # a public page may have fewer columns
        if not field.is_visible():
            if name == "none":
                continue
            tab.click("#add-slot")
        if field.input_value() == name or field.input_value().startswith(f"{name} · "):
            continue
        field.click()
        tab.click(f"ul[role=listbox] li:has-text('{name}')")
        tab.wait_for_selector("ul[role=listbox]", state="hidden")


def set_own(tab: Page, letter: str, name: str, value: str) -> None:
    """Give a slot a setting of its own in its form: a number, a text, or the label of a choice."""
    tab.click(f"#own-{letter} .slot-settings")
    field = tab.locator(f"#own-setting-{name}")
    if field.evaluate("node => node.tagName") == "SELECT":
        field.select_option(label=value)
    else:
        field.fill(value)
        field.blur()
    tab.click("#slot-form .form-done")
    tab.wait_for_selector("#slot-form", state="hidden")


def ask(tab: Page, prompt: str, *names: str) -> None:
    """Choose models, type a prompt and press Enter."""
    choose(tab, *names)
    tab.fill("#prompt textarea", prompt)
    tab.press("#prompt textarea", "Enter")


def wait_for_state(tab: Page, slot: int, state: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a column is in a state."""
    tab.wait_for_selector(
        f".reply[data-slot='{slot}'][data-state='{state}']", timeout=seconds * 1000
    )


def reply(tab: Page, slot: int) -> Any:
    """Return one column."""
    return tab.locator(f".reply[data-slot='{slot}']")
