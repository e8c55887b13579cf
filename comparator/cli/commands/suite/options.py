"""The options of suites, and what several of their commands do."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Optional

import typer
from rich.console import Console

from comparator.cli.display import suite_table
from comparator.cli.display.suite_bar import Show, SuiteBar, SuiteLines
from comparator.cli.errors import FAILED, INTERRUPTED, tell
from comparator.comparison.request import Slot
from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown, plain
from comparator.evaluation.new_suite import MOST_REPEATS
from comparator.evaluation.shown import shown
from comparator.evaluation.suite_run import SuiteRun
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import KeptSuite
from comparator.storage.suites import Suites

NOT_PASSED = 3
HERE = "local"
_END_SECONDS = 30.0  # for a child that is told to end
_LOOK_SECONDS = 0.5

SuiteName = Annotated[
    str, typer.Argument(metavar="ID|last", help="A suite, as 'comparator suite list' tells it.")
]
SuiteFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE|BUILTIN",
        help="Prompts: .txt (one a line), .jsonl, .csv, .parquet, promptfoo's .yaml; or the name "
        "of a built-in suite, such as basic.",
    ),
]
Repeat = Annotated[
    int,
    typer.Option(
        "--repeat",
        metavar="N",
        min=1,
        max=MOST_REPEATS,
        help="Ask each prompt N times, each time with another seed.",
    ),
]
BatchSize = Annotated[
    str,
    typer.Option(
        "--batch",
        metavar="auto|1|N",
        help="Answers written at once: faster together; 1 is exact, and tells each speed.",
    ),
]
RunName = Annotated[
    str, typer.Option("--name", metavar="TEXT", help="What the run is called in lists.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print all of it as JSON instead of a table.")]
Executor = Annotated[
    str,
    typer.Option("--executor", metavar=HERE, help="Where the models run: on this machine."),
]
Judge = Annotated[
    Optional[str],  # noqa: UP045  # typer reads it at run time, on Python 3.10 as well
    typer.Option(
        "--judge",
        metavar="MODEL",
        help="A model that judges the answers at the end: llm-rubric, and slots in pairs.",
    ),
]


def refuse_executor(executor: str) -> None:
    """Refuse every place but this machine.

    Raises:
        ConfigurationError: another one is asked for.
    """
    if executor != HERE:
        raise ConfigurationError(
            f"There is no executor {name_shown(executor)[:60]!r} yet: suites run on this machine "
            f"(--executor {HERE})."
        )


def refuse_endpoints(models: Sequence[str]) -> None:
    """Refuse models that are somewhere else.

    Raises:
        ConfigurationError: one is an endpoint.
    """
    for model in models:
        if model.startswith(("openai:", "http://", "https://")):
            raise ConfigurationError(
                f"{name_shown(model)[:80]} is an endpoint, and endpoints cannot be slots yet. "
                "Choose models of this machine; 'comparator models' lists them."
            )


def follow(
    engine: InferenceEngine,
    store: Suites,
    kept: KeptSuite,
    slots: Sequence[Slot],
    judge: Slot | None,
    as_json: bool = False,
    retries_failed: bool = False,
) -> int:
    """Run a suite, show how far it comes, print what came of it, and return the exit code."""
    news = threading.Event()
    run = SuiteRun(engine, store, kept, news.set, slots, judge, retries_failed)
    run.start()
    was_interrupted = False
    with _display(kept) as show:
        try:
            while not run.has_ended:
                news.wait(_LOOK_SECONDS)
                if news.is_set():
                    news.clear()
                    show(run.progress())
        except KeyboardInterrupt:
            was_interrupted = True
            run.stop()
            run.join(_END_SECONDS)
        show(run.progress())
    ended = run.kept()
    if not was_interrupted:
        print_suite(ended, as_json)
    return _end(ended, run.trouble, was_interrupted)


def print_suite(kept: KeptSuite, as_json: bool) -> None:
    """Print what came of a suite, for people or for programs."""
    if as_json:
        json.dump(plain(shown(kept)), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        print(suite_table.as_text(kept))
    sys.stdout.flush()


def exit_code(kept: KeptSuite) -> int:
    """Return 0 where all was answered and passed, 1 where a cell was not answered, else 3."""
    if any(cell.state != "done" for cell in kept.cells):
        return FAILED
    return NOT_PASSED if any(cell.passed is False for cell in kept.cells) else 0


def _display(kept: KeptSuite) -> AbstractContextManager[Show]:
    if sys.stderr.isatty():
        return SuiteBar(Console(file=sys.stderr), kept)
    return SuiteLines(sys.stderr, kept)


def _end(kept: KeptSuite, trouble: str, was_interrupted: bool) -> int:
    if trouble:
        tell(trouble)
    if was_interrupted or kept.state == "interrupted":
        left = sum(cell.state == "pending" for cell in kept.cells)
        far = f"with {left} of {len(kept.cells)} answers to come" if left else "after all answers"
        tell(f"The suite was interrupted {far}. 'comparator suite resume {kept.id}' goes on.")
    if was_interrupted:
        return INTERRUPTED
    return FAILED if trouble else exit_code(kept)
