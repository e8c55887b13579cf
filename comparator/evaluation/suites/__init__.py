"""Suites that come with the program, written for it: docs/built-in-suite.md says what they tell."""

from __future__ import annotations

from importlib import resources

from comparator.evaluation import suite_files
from comparator.evaluation.suites import needles
from comparator.storage.kept_suite import Suite

BUILTIN: tuple[str, ...] = ("basic", "quick")


def builtin(name: str) -> Suite | None:
    """Return a suite by its name (``BUILTIN``); None where there is none of that name."""
    if name not in BUILTIN:
        return None
    file = resources.files(__package__).joinpath("basic.jsonl")
    read = suite_files.parsed("basic.jsonl", file.read_bytes())
    items = [*read.items, *map(needles.item_of, needles.NEEDLES)]
    if name == "quick":
        items = [one for one in items if "quick" in one.tags]
    return Suite(name, items)
