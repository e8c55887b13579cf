"""``comparator suite show``."""

from __future__ import annotations

from comparator.cli.commands.suite.options import AsJson, SuiteName, print_suite
from comparator.cli.display.kept import from_suites
from comparator.storage.suites import Suites


def command(name: SuiteName, as_json: AsJson = False) -> int:
    """Show what came of a suite."""
    store = Suites()
    try:
        print_suite(from_suites(store, name), as_json)
    finally:
        store.close()
    return 0
