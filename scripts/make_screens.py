"""Take pictures of every screen of the page on the starter models: ``docs/screens`` and its index.

Usage: ``python scripts/make_screens.py [MODELS_DIR] [--only NAME ...] [--output FOLDER]``

``SCREENS`` lists what is shown and how one gets there, ``LOOKS`` the widths, colours and languages.
A screen goes on where the one before it in its group ended; a group begins with a page of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
START_SECONDS, WAIT_SECONDS = 180.0, 600.0
TOKENS = "96"
PROMPTS = {
    "en": "Why is the sky blue? Answer in two sentences, then list two other colours of the sky.",
    "zh-CN": "天空为什么是蓝色的？请用两句话回答。",
}
STILL = "!document.getAnimations().some((one) => one.playState === 'running')"


class Look(NamedTuple):
    """How a screen is seen: its width and height in pixels, its colours, its language."""

    name: str
    width: int
    height: int
    scheme: str
    language: str


LOOKS = (
    Look("wide", 1440, 900, "light", "en"),
    Look("wide-zh", 1440, 900, "dark", "zh-CN"),
    Look("middle", 1024, 768, "dark", "en"),
    Look("phone", 390, 844, "light", "en"),
    Look("phone-zh", 390, 844, "dark", "zh-CN"),
)


class Screen(NamedTuple):
    """One screen.

    Attributes:
        name: of its files.
        title: what it shows, for the index.
        steps: what leads there: a word of ``DO`` and what it is given.
        is_whole: whether the picture goes down to the end of the page.
        looks: names of the looks in which it is taken; all where empty.
    """

    name: str
    title: str
    steps: tuple[tuple[str, str], ...]
    is_whole: bool = False
    looks: tuple[str, ...] = ()


WIDE_ONES = ("wide", "wide-zh")
BOTH_ENDS = (*WIDE_ONES, "phone", "phone-zh")
# By group. The group named "empty" is taken of a page without models.
SCREENS: dict[str, tuple[Screen, ...]] = {
    "empty": (
        Screen("empty", "A page without models", (("wait", "#starter"),), looks=BOTH_ENDS),
        Screen(
            "library-empty",
            "A library without models",
            (("click", "#library-tab-button"), ("wait", ".library-frame .hint:not(:empty)")),
            looks=("wide",),
        ),
    ),
    "page": (
        Screen("start", "The page as it opens", (("models", ""),)),
        Screen(
            "settings",
            "More settings",
            (("click", "#more > button"), ("wait", "#more > .open")),
            is_whole=True,
            looks=BOTH_ENDS,
        ),
        Screen(
            "shortcuts",
            "The list of shortcuts",
            (("click", "#more > button"), ("click", "#help-open"), ("wait", "#help[open]")),
            looks=("wide", "wide-zh", "phone"),
        ),
        Screen(
            "answers",
            "Answers side by side",
            (("press", "Escape"), ("run", ""), ("top", ".answer")),
        ),
        Screen("answers-whole", "What stands below the answers", (), is_whole=True),
        Screen(
            "history",
            "The history",
            (("click", "#history-tab-button"), ("wait", "#history")),
        ),
        Screen(
            "library",
            "The library",
            (("click", "#library-tab-button"), ("wait", "#library-root tbody tr[data-id]")),
        ),
        Screen(
            "library-model",
            "What is known of a model, and the question before one is removed",
            (
                ("click", "#library-root tbody tr[data-id] td.name"),
                ("wait", "#library-detail dl"),
                ("click", "[data-action='remove']"),
                ("wait", "#removal-question p"),
            ),
            is_whole=True,
            looks=BOTH_ENDS,
        ),
        Screen(
            "hub",
            "Getting models",
            (("click", "#keep"), ("click", "#hub-tab-button"), ("wait", "#hub-go")),
            looks=BOTH_ENDS,
        ),
    ),
}


def main() -> None:
    """Take what is asked for, or all, and write the index."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models_dir", type=Path, nargs="?", default=REPOSITORY / "models")
    parser.add_argument("--only", nargs="*", default=[], help="names of screens, of looks, or both")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "screens")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as places:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for group in SCREENS:
            folder = Path(places) / "empty" if group == "empty" else arguments.models_dir
            folder.mkdir(exist_ok=True)
            with served(folder.resolve(), Path(places) / group) as address:
                for look in LOOKS:
                    take(browser, address, group, look, arguments)
        browser.close()
    if not arguments.only:
        write_index(arguments.output)


def take(
    browser: Browser, address: str, group: str, look: Look, arguments: argparse.Namespace
) -> None:
    """Go through a group's screens in one look, and take those that are wanted."""
    taken = [one for one in SCREENS[group] if not one.looks or look.name in one.looks]
    wanted = [one for one in taken if is_wanted(one, look, arguments.only)]
    if not wanted:
        return
    size: Any = {"width": look.width, "height": look.height}
    scheme: Any = look.scheme
    context = browser.new_context(
        viewport=size, color_scheme=scheme, locale=look.language, reduced_motion="reduce"
    )
    context.set_default_timeout(WAIT_SECONDS * 1000)
    tab = context.new_page()
    tab.goto(address)
    tab.wait_for_selector("#board-root .modes", state="attached")
    for screen in SCREENS[group][: SCREENS[group].index(wanted[-1]) + 1]:
        for word, given in screen.steps:
            DO[word](tab, given, look)
        if screen in wanted:
            save(tab, screen, arguments.output / f"{screen.name}-{look.name}.webp")
    context.close()


def is_wanted(screen: Screen, look: Look, only: list[str]) -> bool:
    """Return whether a screen in a look is among what was named; all are where nothing is."""
    screens = {one.name for group in SCREENS.values() for one in group}
    names, looks = set(only) & screens, set(only) - screens
    return (not names or screen.name in names) and (not looks or look.name in looks)


def save(tab: Page, screen: Screen, path: Path) -> None:
    """Save a picture without losses and small, once nothing moves any more."""
    tab.wait_for_function(STILL)
    picture = Image.open(BytesIO(tab.screenshot(full_page=screen.is_whole)))
    few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).convert("RGB")
    few.save(path, "WEBP", lossless=True, method=6)
    print(f"{path.name}: {path.stat().st_size // 1000} kB", flush=True)


def _run(tab: Page, _given: str, look: Look) -> None:
    """Ask all starter models that have a column, and wait for the end of each."""
    for letter, name in zip("abcd", ("Q8_0", "Q4_1", "Q2_K", "PyTorch"), strict=True):
        field = tab.locator(f"#model-{letter} input")
        if not field.is_visible():
            tab.click("#add-slot")
        field.click()
        tab.locator("ul[role=listbox] li", has_text=name).first.click()
        tab.wait_for_selector("ul[role=listbox]", state="hidden")
    tab.fill("#max-tokens input, #max-tokens textarea", TOKENS)
    tab.fill("#seed input, #seed textarea", "1")
    tab.fill("#prompt textarea", PROMPTS[look.language])
    tab.press("#prompt textarea", "Enter")
    tab.wait_for_selector("body.comparing", state="attached")
    tab.wait_for_selector("body:not(.comparing)", state="attached")
    tab.evaluate("document.activeElement.blur()")


def _top(tab: Page, selector: str, _look: Look) -> None:
    tab.evaluate(
        "(which) => { document.querySelectorAll(which).forEach((one) => { one.scrollTop = 0; });"
        " window.scrollTo(0, 0); }",
        selector,
    )


def _wait_for_models(tab: Page, _given: str, _look: Look) -> None:
    tab.wait_for_function("(document.querySelector('#model-a input')?.value || 'none') !== 'none'")


DO = {
    "click": lambda tab, given, _look: tab.locator(given).first.click(),
    "press": lambda tab, given, _look: tab.keyboard.press(given),
    "wait": lambda tab, given, _look: tab.locator(given).first.wait_for(),
    "models": _wait_for_models,
    "run": _run,
    "top": _top,
}


def write_index(folder: Path) -> None:
    """Write ``screens.md`` beside the folder: each screen in each of its looks."""
    lines = ["# Every screen", "", "Made by `make screenshots`; do not edit it.", ""]
    for screen in [one for group in SCREENS.values() for one in group]:
        lines += [f"## {screen.title}", ""]
        for look in LOOKS:
            picture = folder / f"{screen.name}-{look.name}.webp"
            if picture.exists():
                words = f"{screen.title}, {look.width} pixels, {look.scheme}, {look.language}"
                lines += [f"![{words}]({folder.name}/{picture.name})", ""]
    folder.with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")


@contextlib.contextmanager
def served(models_dir: Path, places: Path) -> Iterator[str]:
    """Serve the page over a models folder, with its data in a place of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"COMPARATOR_MODELS_DIR": models_dir, "COMPARATOR_DATA_DIR": places / "data"}
    own |= {"COMPARATOR_CACHE_DIR": places / "cache", "GRADIO_SERVER_PORT": port}
    environment = {**os.environ, **{name: str(value) for name, value in own.items()}}
    server = subprocess.Popen([sys.executable, "app.py"], cwd=REPOSITORY, env=environment)
    address = f"http://127.0.0.1:{port}/"
    try:
        _wait_for(address, server)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


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
