"""``comparator suite list``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Annotated

import typer

from comparator.cli.display.model_table import shown
from comparator.cli.errors import FAILED, tell
from comparator.core.text import plain
from comparator.storage.suites import MOST_LISTED, SuiteEntry, Suites


def command(
    most: Annotated[
        int,
        typer.Option("-n", metavar="N", min=1, max=MOST_LISTED, help="How many at the most."),
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
) -> int:
    """List the suites that were run, the newest first."""
    store = Suites()
    try:
        found = store.find(most=most)
        if not found and store.trouble:
            tell(store.trouble)
            return FAILED
    finally:
        store.close()
    if as_json:
        told = [{**asdict(entry), "total": entry.total} for entry in found]
        json.dump(plain(told), sys.stdout, ensure_ascii=False, indent=2)
        print()
    elif found:
        print("\n".join(line for entry in found for line in _lines(entry)))
    else:
        print("No suite is kept yet. 'comparator suite run basic -m MODEL' runs one.")
    return 0


def _lines(entry: SuiteEntry) -> list[str]:
    """Return a suite in two lines: when, what and how far, and of whom."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created))
    failed = f", {entry.failed} failed" if entry.failed else ""
    far = f"{entry.state}, {entry.done}/{entry.total} answered{failed}"
    repeats = f" × {entry.repeats}" if entry.repeats > 1 else ""
    what = f"{shown(entry.name)}, {entry.prompts} prompt{'s' * (entry.prompts != 1)}{repeats}"
    models = ", ".join(shown(label) for label in entry.labels)
    return [f"{entry.id}  {when}  {what}  ({far})", f"              {models}"]
