"""Take pictures of every screen of the page on the starter models: ``docs/screens`` and its index.

Usage: ``python scripts/make_screens.py [MODELS_DIR] [--only NAME ...] [--resume] [--output DIR]``

``screens.py`` lists what is shown and how one gets there; here is how that is done. Each question
is asked once for a language: a further look opens its answers from the history. A look keeps its
window, in which each group begins with the page loaded anew, and pictures are written while the
next is prepared. ``--resume`` leaves out what is there already.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from screens import LOOKS, SCREENS, Look, Screen

REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
START_SECONDS, WAIT_SECONDS = 180.0, 600.0
TOKENS = "32"
MODELS = ("Q8_0", "Q4_1", "Q2_K", "PyTorch")
PROMPTS = {
    "en": "Why is the sky blue? Answer in two sentences, then list two other colours of the sky.",
    "zh-CN": "天空为什么是蓝色的？请用两句话回答。",
}
SUITE = (
    ("capital", "What is the capital of France? Answer with one word.", "Paris"),
    ("sum", "What is 2 + 3? Answer with a number.", "5"),
    ("colour", "Name one colour of the rainbow.", ""),
    ("天空", "天空是什么颜色？请用一个词回答。", "蓝"),
    ("opposite", "What is the opposite of hot? Answer with one word.", "cold"),
)
FOLLOWING = {"en": "Say it again in one short sentence.", "zh-CN": "请用一句话再说一遍。"}
SHORTEN = """(which) => document.querySelectorAll(which).forEach((one) => {
  one.textContent = one.textContent.replace(/^\\/.*\\/(?=models\\/)/, "");
})"""
STILL = "!document.getAnimations().some((one) => one.playState === 'running')"


def main() -> None:
    """Take what is asked for, or all, and write the index."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models_dir", type=Path, nargs="?", default=REPOSITORY / "models")
    parser.add_argument("--only", nargs="*", default=[], help="names of screens, of looks, or both")
    parser.add_argument("--every-look", action="store_true", help="each screen in all looks")
    parser.add_argument("--resume", action="store_true", help="only what is not there yet")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "screens")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as places:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        place = Path(places)
        (place / "empty").mkdir()
        served_groups = (
            (["empty"], place / "empty"),
            ([group for group in SCREENS if group != "empty"], arguments.models_dir.resolve()),
        )
        for groups, folder in served_groups:
            take_all(browser, groups, folder, place / f"of-{groups[0]}", arguments)
        browser.close()
    if not arguments.only:
        write_index(arguments.output)


def take_all(
    browser: Browser, groups: list[str], folder: Path, place: Path, arguments: argparse.Namespace
) -> None:
    """Take the screens of some groups from one page, which is served over a models folder."""
    if not any(wanted_of(group, look, arguments) for group in groups for look in LOOKS):
        return
    tabs: dict[str, Page] = {}
    with served(folder, place) as address, ThreadPoolExecutor(1) as writer:
        saved = []
        for group in groups:
            for look in LOOKS:
                if wanted := wanted_of(group, look, arguments):
                    if look.name not in tabs:
                        tabs[look.name] = new_tab(browser, look)
                    begin(tabs[look.name], address)
                    saved += take(tabs[look.name], group, look, wanted, arguments, writer)
        for one in saved:
            one.result()
        for tab in tabs.values():
            tab.context.close()


def wanted_of(group: str, look: Look, arguments: argparse.Namespace) -> list[Screen]:
    """Return which screens of a group are to be taken in a look."""
    return [
        one
        for one in SCREENS[group]
        if (arguments.every_look or not one.looks or look.name in one.looks)
        and is_wanted(one, look, arguments.only)
        and not (arguments.resume and picture_of(one, look, arguments).exists())
    ]


def picture_of(screen: Screen, look: Look, arguments: argparse.Namespace) -> Path:
    """Return where a picture is kept."""
    folder: Path = arguments.output
    return folder / f"{screen.name}-{look.name}.webp"


def new_tab(browser: Browser, look: Look) -> Page:
    """Return a window of a look, with a memory of its own."""
    size: Any = {"width": look.width, "height": look.height}
    scheme: Any = look.scheme
    context = browser.new_context(
        viewport=size, color_scheme=scheme, locale=look.language, reduced_motion="reduce"
    )
    context.set_default_timeout(WAIT_SECONDS * 1000)
    return context.new_page()


def begin(tab: Page, address: str) -> None:
    """Open the page as for whoever comes for the first time."""
    if tab.url != "about:blank":
        tab.evaluate("localStorage.clear(); sessionStorage.clear()")
    tab.goto(address)
    tab.wait_for_selector("#board-root .modes", state="attached")


def take(
    tab: Page,
    group: str,
    look: Look,
    wanted: list[Screen],
    arguments: argparse.Namespace,
    writer: ThreadPoolExecutor,
) -> list[Future[None]]:
    """Go through a group's screens in one look; return the pictures that are being written."""
    saved = []
    for screen in SCREENS[group][: SCREENS[group].index(wanted[-1]) + 1]:
        if screen.is_apart and screen not in wanted:
            continue
        for word, given in screen.steps:
            DO[word](tab, given, look)
        if screen in wanted:
            tab.wait_for_function(STILL)
            shown = tab.screenshot(full_page=screen.is_whole)
            saved.append(writer.submit(save, shown, picture_of(screen, look, arguments)))
    return saved


def is_wanted(screen: Screen, look: Look, only: list[str]) -> bool:
    """Return whether a screen in a look is among what was named; all are where nothing is."""
    screens = {one.name for group in SCREENS.values() for one in group}
    names, looks = set(only) & screens, set(only) - screens
    return (not names or screen.name in names) and (not looks or look.name in looks)


def save(shown: bytes, path: Path) -> None:
    """Save a picture without losses and small, whole or not at all."""
    few = Image.open(BytesIO(shown)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    begun = path.with_suffix(".part")
    few.convert("RGB").save(begun, "WEBP", lossless=True, method=4)
    begun.replace(path)
    print(f"{path.name}: {path.stat().st_size // 1000} kB", flush=True)


def _choose(tab: Page, *names: str) -> None:
    """Choose a model for each of the first columns."""
    for letter, name in zip("abcd", names, strict=False):
        field = tab.locator(f"#model-{letter} input")
        if not field.is_visible():
            tab.click("#add-slot")
        field.click()
        tab.locator("ul[role=listbox] li", has_text=name).first.click()
        tab.wait_for_selector("ul[role=listbox]", state="hidden")


def _ask(tab: Page, prompt: str, tokens: str) -> None:
    tab.fill("#max-tokens input, #max-tokens textarea", tokens)
    tab.fill("#seed input, #seed textarea", "1")
    tab.fill("#prompt textarea", prompt)
    tab.press("#prompt textarea", "Enter")
    _until_done(tab)


def _until_done(tab: Page) -> None:
    tab.wait_for_selector("body.comparing", state="attached")
    tab.wait_for_selector("body:not(.comparing)", state="attached")
    tab.evaluate("document.activeElement.blur()")


def _run(tab: Page, _given: str, look: Look) -> None:
    """Ask all starter models that have a column, or open what they answered for another look."""
    prompt = PROMPTS[look.language]
    if not _opened(tab, prompt):
        _choose(tab, *MODELS)
        _ask(tab, prompt, TOKENS)


def _ask_on(tab: Page, _given: str, look: Look) -> None:
    question = FOLLOWING[look.language]
    if not _opened(tab, question):
        tab.fill("#follow-up-field", question)
        tab.press("#follow-up-field", "Enter")
        _until_done(tab)


def _opened(tab: Page, question: str) -> bool:
    """Open a comparison of the history; return whether there is one of that question."""
    tab.click("#history-tab-button")
    tab.locator(".history-row, .history-empty h2").first.wait_for()
    row = tab.locator(".history-row", has_text=question)
    is_kept = row.count() > 0
    if is_kept:
        row.first.locator(".history-question").click()
    else:
        tab.locator("#tabs button[role=tab]").first.click()
    tab.locator("#prompt, .form-fold").locator("visible=true").first.wait_for()
    return is_kept


def _blind(tab: Page, _given: str, look: Look) -> None:
    """Ask two models whose names are hidden."""
    _choose(tab, *MODELS[:2])
    tab.check("#blind input")
    _ask(tab, PROMPTS[look.language], TOKENS)
    tab.wait_for_selector(".vote-row.blind .vote-names:visible")


def _vote(tab: Page, _given: str, look: Look) -> None:
    answer = ("A", "B")[LOOKS.index(look) % 2]
    tab.click(f".vote-buttons [data-answer='{answer}']")
    tab.wait_for_selector(".vote-row:not(.blind) .vote-back:visible")


def _own(tab: Page, given: str, _look: Look) -> None:
    """Give the slot whose form is open a temperature of its own."""
    tab.fill("#own-setting-temperature", given)
    tab.locator("#own-setting-temperature").blur()
    tab.wait_for_selector("#own-a .chip-edit")


def _prompts(tab: Page, _given: str, _look: Look) -> None:
    """Give a file of prompts with what their answers must have."""
    lines = [
        {
            "id": name,
            "prompt": prompt,
            "assert": [{"type": "icontains", "value": part}][: len(part)],
        }
        for name, prompt, part in SUITE
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    file: Any = {"name": "questions.jsonl", "mimeType": "text/plain", "buffer": text.encode()}
    tab.check("#evaluate input[value=file]")
    tab.set_input_files("#evaluate-file", file)
    tab.wait_for_selector(".evaluate-count")


def _suite(tab: Page, _given: str, _look: Look) -> None:
    """Run the suite, or open the one that ran for the look before."""
    kept = tab.locator(".evaluate-kept-list .history-question").first
    if kept.is_visible():
        kept.click()
    else:
        tab.locator("#tabs button[role=tab]").first.click()
        tab.fill("#max-tokens input, #max-tokens textarea", TOKENS)
        tab.click("#evaluate-tab-button")
        tab.click("#evaluate-begin")
    tab.wait_for_selector(".evaluate-told[data-state='done']")
    tab.wait_for_selector(
        ".evaluate-summary thead th:nth-child(8)"
    )  # all figures, not counts alone


def _top(tab: Page, selector: str, _look: Look) -> None:
    tab.evaluate(
        "(which) => { document.querySelectorAll(which).forEach((one) => { one.scrollTop = 0; });"
        " window.scrollTo(0, 0); }",
        selector,
    )


def _wait_for_models(tab: Page, _given: str, _look: Look) -> None:
    tab.wait_for_function("document.querySelector('#model-a input')?.value.includes(' · ')")


def _open(tab: Page, selector: str, _look: Look) -> None:
    tab.locator(selector).first.evaluate("(node) => { node.open = true; }")


def _show(tab: Page, selector: str, _look: Look) -> None:
    tab.locator(selector).first.evaluate("(node) => node.scrollIntoView({ block: 'start' })")


def _without_place(tab: Page, selector: str, _look: Look) -> None:
    """Show paths from the models folder on, so that no picture tells whose machine this was."""
    tab.locator(selector).last.wait_for()
    tab.evaluate(SHORTEN, selector)


DO = {
    "ask-on": _ask_on,
    "blind": _blind,
    "no-place": _without_place,
    "open": _open,
    "own": _own,
    "prompts": _prompts,
    "show": _show,
    "suite": _suite,
    "vote": _vote,
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
