"""``comparator replay``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from comparator.cli.commands.options import Force, MaxMemory, ModelsDirs, NoSource, library_of
from comparator.cli.display.live import LiveColumns, StateLines
from comparator.comparison.card import Card, read_card
from comparator.comparison.replay import (
    AS_ON_THE_CARD,
    ColumnEnd,
    ColumnOutcome,
    Planned,
    TextLengths,
    check,
    exit_code,
    outcome,
    plan,
    settings_of,
)
from comparator.comparison.request import Files, Request
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.limits import LETTERS
from comparator.core.models import InferenceResult, told_apart
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from comparator.services.model_manager import ModelManager
from comparator.storage.digests import Digests

CardPath = Annotated[
    Path, typer.Argument(metavar="CARD.json", help="A reproduction card, as export makes it.")
]
TrustsCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Let code run that comes with a model, where the card says that it did.",
    ),
]


def command(
    card: CardPath,
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
    trust_remote_code: TrustsCode = False,
    max_memory_gb: MaxMemory = None,
    force: Force = False,
) -> int:
    """Ask what a reproduction card says once more, and tell whether the answers are the same.

    Exit code: 0 identical in every column, 3 where one parted, 1 where one could not run, 2 for a
    file that is no card.
    """
    read = read_card(card)
    check(read)
    # Who names folders means these; else a model may lie wherever it was read before.
    anywhere = not models_dir
    planned = _plan(read, library_of(models_dir, no_source), trust_remote_code, anywhere)
    engine = InferenceEngine(MemoryManager(max_memory_gb, enforce=not force))
    try:
        outcomes = _replayed(read, planned, engine, trust_remote_code)
    finally:
        engine.cleanup_resources()
    _tell(outcomes)
    return exit_code(outcomes)


def _plan(card: Card, manager: ModelManager, trusts_code: bool, anywhere: bool) -> list[Planned]:
    try:
        models = manager.scan_models()
        adapters = manager.get_adapters() if any(slot.adapters for slot in card.slots) else []
    except ModelNotFoundError:  # said of each column
        models, adapters = [], []
    manager.close()
    digests = Digests()
    try:
        return plan(card, models, adapters, digests, trusts_code, anywhere)
    finally:
        digests.close()


def _replayed(
    card: Card, planned: Sequence[Planned], engine: InferenceEngine, trusts_code: bool
) -> list[ColumnOutcome]:
    """Run the columns that can be asked here; the others say why not."""
    runnable = [one for one in planned if one.model is not None]
    results: list[InferenceResult] = []
    progress = [TextLengths() for _ in runnable]
    if runnable:
        request = _request(card, runnable, engine, trusts_code)
        live = sys.stderr.isatty()
        with LiveColumns(sys.stderr) if live else StateLines(sys.stderr) as show:
            for snapshot in engine.stream(request):
                results = list(snapshot.values())
                for noted, result in zip(progress, results, strict=True):
                    noted.note(result)
                show(results)
    answered = iter(zip(runnable, results, progress, strict=True))
    return [
        ColumnOutcome(ColumnEnd.NOT_RUN, one.problem)
        if one.model is None
        else outcome(card, *next(answered))
        for one in planned
    ]


def _request(
    card: Card, runnable: Sequence[Planned], engine: InferenceEngine, trusts_code: bool
) -> Request:
    models = told_apart(one.model for one in runnable if one.model is not None)
    configs = {
        model.id: settings_of(one, trusts_code) for model, one in zip(models, runnable, strict=True)
    }
    request = engine.request(
        runnable[0].slot.conversation(),
        models,
        configs,
        together=card.together,
        date=card.date,
        given={model.id: AS_ON_THE_CARD for model in models},
    )
    slots = [
        replace(slot, conversation=one.slot.conversation())
        for slot, one in zip(request.slots, runnable, strict=True)
    ]
    return replace(request, slots=slots, files=_files(card.files))


def _files(word: str) -> Files:
    try:
        return Files(word)
    except ValueError:
        raise ConfigurationError(
            f"The card wants files {word[:40]!r}; there are cold and warm."
        ) from None


def _tell(outcomes: Sequence[ColumnOutcome]) -> None:
    for letter, one in zip(LETTERS, outcomes, strict=False):
        print(f"{letter} {one.sentence}", flush=True)
        for difference in one.differences:
            print(f"    {difference}", flush=True)
