"""Make ``docs/promises.md``: each promise, the tests that prove it, and how they last went.

Usage: ``python scripts/make_promises.py [JUNIT_XML ...]``

``docs/promises.json`` says which test proves which promise. The XML files are what
``pytest --junitxml`` writes (``make promises``, ``make soak``); what they say is kept in
``docs/promises_results.json``. Without them the page is made anew from what was kept.
"""

from __future__ import annotations

import json
import platform
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
MAPPING = DOCS / "promises.json"
RESULTS = DOCS / "promises_results.json"
PAGE = DOCS / "promises.md"
INTRODUCTION = """# What is promised, and the test that proves it

Made by `python scripts/make_promises.py` from `docs/promises.json` and the results of the last
runs of the tests; do not edit it. P1 to P30 are about processes, files and the page; 3.1 to
3.17 are about what a person meets when something goes wrong, 4.1 to 4.17 about suites, votes and
their figures. `make soak` runs the tests that take minutes, `make promises` the others and this
page.

| | Promise | Proved by | Last run |
|---|---|---|---|
"""


def main() -> None:
    """Take in the results that were given and write the page."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for path in sys.argv[1:]:
        results.update(taken_in(Path(path)))
    if sys.argv[1:]:
        kept = {test: results[test] for test in sorted(named_tests()) if test in results}
        RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.write_text(page(json.loads(MAPPING.read_text("utf-8")), results), "utf-8")


def taken_in(path: Path) -> dict[str, Any]:
    """Return a run's results by test, the cases of one test added up."""
    named = named_tests()
    suite = ElementTree.parse(path).getroot().find("testsuite")
    if suite is None:
        raise SystemExit(f"{path} is no result of pytest --junitxml.")
    when = f"{suite.get('timestamp', '')[:16].replace('T', ' ')} on {machine()}"
    results: dict[str, Any] = {}
    for case in suite.iter("testcase"):
        test = test_of(case)
        if test not in named:
            continue
        entry = results.setdefault(
            test, {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0, "when": when}
        )
        entry[outcome(case)] += 1
        entry["seconds"] = round(entry["seconds"] + float(case.get("time", 0)), 1)
        figures = {p.get("name", ""): p.get("value", "") for p in case.iter("property")}
        if figures:
            entry["figures"] = figures
    return results


def named_tests() -> set[str]:
    """Return the tests that some promise names."""
    promises = json.loads(MAPPING.read_text("utf-8"))
    return {test for promise in promises for test in promise["tests"]}


def test_of(case: ElementTree.Element) -> str:
    """Return ``file::[Class::]function`` of a case, without its parameters."""
    classes = case.get("classname", "").split(".")
    for length in range(len(classes), 0, -1):
        file = Path(*classes[:length]).with_suffix(".py")
        if (REPOSITORY / file).is_file():
            name = case.get("name", "").split("[")[0]
            return "::".join([file.as_posix(), *classes[length:], name])
    return case.get("name", "")


def outcome(case: ElementTree.Element) -> str:
    """Return ``passed``, ``failed`` or ``skipped``."""
    if case.find("skipped") is not None:
        return "skipped"
    broken = case.find("failure") is not None or case.find("error") is not None
    return "failed" if broken else "passed"


def machine() -> str:
    """Return the system and the Python of the run, in words."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def page(promises: list[dict[str, Any]], results: dict[str, Any]) -> str:
    """Return the page."""
    rows = [_row(promise, results) for promise in promises]
    figures = [_figures(test, entry) for test, entry in sorted(results.items())]
    found = "\n".join(text for text in figures if text)
    return INTRODUCTION + "\n".join(rows) + "\n" + (f"\n## Figures\n{found}" if found else "")


def _row(promise: dict[str, Any], results: dict[str, Any]) -> str:
    links = "<br>".join(_link(test) for test in promise["tests"])
    runs = "<br>".join(_told(results.get(test)) for test in promise["tests"])
    return f"| {promise['id']} | {promise['promise']} | {links} | {runs} |"


def _link(test: str) -> str:
    file, *names = test.split("::")
    folder = file.removeprefix("tests/").removesuffix(".py")
    return f"[{folder}: {names[-1].removeprefix('test_').replace('_', ' ')}](../{file})"


def _told(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "not run yet"
    counts = [f"{entry[name]} {name}" for name in ("passed", "failed", "skipped") if entry[name]]
    return f"{', '.join(counts)} in {entry['seconds']} s"


def _figures(test: str, entry: dict[str, Any]) -> str:
    if "figures" not in entry:
        return ""
    lines = "".join(f"- {name}: {value}\n" for name, value in entry["figures"].items())
    return f"\n### {_link(test)}\n\n{entry['when']}\n\n{lines}"


if __name__ == "__main__":
    main()
