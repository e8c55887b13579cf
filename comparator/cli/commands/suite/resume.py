"""``comparator suite resume``."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from comparator.cli.commands.shared_options import EngineOptions, LibraryOptions
from comparator.cli.commands.suite.options import (
    AsJson,
    SuiteName,
    exit_code,
    follow,
    print_suite,
)
from comparator.cli.display.kept import from_suites
from comparator.cli.errors import tell
from comparator.core.exceptions import ConfigurationError
from comparator.evaluation import resuming
from comparator.storage.kept_suite import KeptSuite
from comparator.storage.suites import Suites


def command(
    name: SuiteName,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Ask also once more what could not be answered."),
    ] = False,
    *,
    engine: EngineOptions,
    as_json: AsJson = False,
    library: LibraryOptions,
) -> int:
    """Go on with a suite that was interrupted.

    What was answered is not asked again. A model that is another now, by content and not by name,
    is not asked: its answers stay, and a sentence says what to do.
    """
    look_up, adapter = library.look_ups()
    store = Suites()
    try:
        kept = from_suites(store, name)
        if not _has_something_left(kept, retry_failed):
            return _nothing_left(kept, as_json)
        asked = resuming.with_failed_pending(kept) if retry_failed else kept
        slots = resuming.slots_of(asked, look_up, adapter)
        judge = None
        with contextlib.suppress(ConfigurationError):  # said when all was asked, should it be gone
            judge = resuming.judge_slot(kept, look_up)
        runs = engine.make()
        try:
            return follow(runs, store, kept, slots, judge, as_json, retry_failed)
        finally:
            runs.cleanup_resources()
    finally:
        store.close()


def _has_something_left(kept: KeptSuite, retry_failed: bool) -> bool:
    if kept.state != "done":
        return True
    waits_for_judge = kept.judge is not None and not kept.judge.get("is_complete")
    return waits_for_judge or (retry_failed and any(cell.state == "failed" for cell in kept.cells))


def _nothing_left(kept: KeptSuite, as_json: bool) -> int:
    print_suite(kept, as_json)
    failed = sum(cell.state == "failed" for cell in kept.cells)
    again = f" --retry-failed asks the {failed} that could not be answered once more."
    tell(f"Nothing of the suite {kept.id} is left to be asked.{again * bool(failed)}")
    return exit_code(kept)
