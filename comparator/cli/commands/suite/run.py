"""``comparator suite run``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.cli.commands.options import Models, System
from comparator.cli.commands.shared_options import EngineOptions, LibraryOptions, SettingOptions
from comparator.cli.commands.suite.options import (
    HERE,
    AsJson,
    BatchSize,
    Executor,
    Judge,
    Repeat,
    RunName,
    SuiteFile,
    follow,
    refuse_endpoints,
    refuse_executor,
)
from comparator.cli.errors import tell
from comparator.comparison.request import Slot
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelConfig
from comparator.core.units import fine_size
from comparator.evaluation.new_suite import AUTO, unread_bytes
from comparator.evaluation.suite_run import new_suite
from comparator.hosting.requests import AdapterLookUp, LookUp, RequestDraft, SlotDraft, request_of
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import Suite
from comparator.storage.suites import Suites

_LONG_READ_BYTES = 1_000_000_000  # some seconds
# Built-in suites ask for short answers that can be checked, and that are the same each time.
_OF_BUILTIN = {"do_sample": False, "max_tokens": 256}


def command(
    file: SuiteFile,
    model: Models = None,
    system: System = None,
    repeat: Repeat = 1,
    batch: BatchSize = AUTO,
    judge: Judge = None,
    executor: Executor = HERE,
    name: RunName = "",
    *,
    settings: SettingOptions,
    engine: EngineOptions,
    as_json: AsJson = False,
    library: LibraryOptions,
) -> int:
    """Ask models all prompts of a file, and grade their answers.

    Each model is loaded once. Every answer is kept as it comes, so that an interrupted suite goes
    on with 'comparator suite resume'. Exit code: 0 all answered and passed, 3 an assertion failed,
    1 an answer is missing, or trouble ended the suite.
    """
    refuse_executor(executor)
    refuse_endpoints([*(model or ()), *([judge] if judge else ())])
    if not model:
        raise ConfigurationError("Choose at least one model with -m; 'comparator models' lists.")
    asked = AskedSuite(file, settings.for_all(), repeat, batch, name, as_json)
    models = settings.slots_of(model)
    return run_suite(asked, models, system, judge, engine.make(), *library.look_ups())


@dataclass(frozen=True)
class AskedSuite:
    """What is asked, and how it is told.

    Attributes:
        file: of the prompts, or the name of a built-in suite.
        settings: for all models.
        repeats: how often each prompt is asked.
        batch: how many answers are written at once, or ``auto``.
        name: what the run is called in lists; empty for the suite's own name.
        as_json: whether what comes of it is printed as JSON.
    """

    file: str
    settings: Mapping[str, Any]
    repeats: int
    batch: str
    name: str
    as_json: bool


def run_suite(
    asked: AskedSuite,
    models: Sequence[SlotDraft],
    system: str | None,
    judge: str | None,
    engine: InferenceEngine,
    look_up: LookUp,
    adapter: AdapterLookUp,
) -> int:
    """Run a suite anew and return the exit code."""
    suite, is_builtin = suite_named(asked.file)
    settings = with_usual(asked.settings, asked.repeats) if is_builtin else asked.settings
    draft = RequestDraft(suite.items[0].question, models, system or "", settings)
    store = Suites()
    try:
        slots = request_of(draft, engine, look_up, adapter).slots
        judging = Slot.of(look_up(judge), ModelConfig()) if judge else None
        unread = unread_bytes(slots)
        if unread > _LONG_READ_BYTES:
            tell(f"Reading {fine_size(unread)} of models once, to know them by their content.")
        kept = new_suite(
            engine,
            suite,
            slots,
            repeats=asked.repeats,
            batch=asked.batch,
            judge=judging,
            name=asked.name,
        )
        for note in suite.notes:
            print(note, file=sys.stderr)
        tell(f"The suite is kept as {kept.id}; Ctrl-C interrupts it, and it can go on later.")
        return follow(engine, store, kept, slots, judging, asked.as_json)
    finally:
        engine.cleanup_resources()
        store.close()


def suite_named(name: str) -> tuple[Suite, bool]:
    """Return the suite of a file, or the built-in one of that name, and whether it is such a one.

    Raises:
        ConfigurationError: there is neither, or the file cannot be read as a suite.
    """
    from comparator.evaluation import suite_files
    from comparator.evaluation.suites import BUILTIN, builtin

    found = builtin(name)
    if found is not None:
        return found, True
    path = Path(name).expanduser()
    if not path.exists():
        raise ConfigurationError(
            f"There is no file {name}, and no built-in suite of that name. Built in: "
            f"{', '.join(BUILTIN)}."
        )
    return suite_files.read(path), False


def with_usual(given: Mapping[str, Any], repeats: int) -> dict[str, Any]:
    """Return the settings of a built-in suite: what a person gave goes before its own.

    Who asks for repeats, or for a way of sampling, does not want the likeliest token.
    """
    samples = repeats > 1 or {"temperature", "sampling"} & set(given)
    usual = {k: v for k, v in _OF_BUILTIN.items() if not (k == "do_sample" and samples)}
    return {**usual, **given}
