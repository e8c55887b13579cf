"""``comparator models``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from comparator.cli.commands.options import ModelsDirs, NoSource, library_of
from comparator.cli.display.model_table import model_record, models_as_text, shown
from comparator.core.models import ModelInfo
from comparator.hosting.library.model_checks import mark_problems
from comparator.library.adapters import as_text as adapters_as_text
from comparator.library.discovery import Skipped
from comparator.library.facts.lookup import facts_of
from comparator.library.facts.purposes import why_not_offered
from comparator.library.labels import ranked
from comparator.library.sources import title_of
from comparator.services.model_manager import ModelManager


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Only models with these words, such as a quantisation."),
    ] = None,
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List what is not offered instead, and why.")
    ] = False,
    copies: Annotated[
        bool,
        typer.Option("--find-copies", help="Read files of equal size, to show copies as one."),
    ] = False,
) -> int:
    """List the models there are.

    Files that cannot be loaded are listed too, with the reason.
    """
    manager = library_of(models_dir, no_source)
    manager.scan_models()
    models = manager.find_copies() if copies else manager.get_available_models()
    manager.close()
    mark_problems(models)
    offered, passed_over = _sorted(models, manager.skipped)
    if words:
        offered = ranked(offered, " ".join(words))
    if skipped:
        _print_skipped(passed_over, as_json)
        return 0
    if as_json:
        _print_json([model_record(model) for model in offered])
    else:
        _print_table(offered, manager, words or ())
    if passed_over:
        print(_hint(len(passed_over)), file=sys.stderr)
    if not as_json and (adapters := adapters_as_text(manager.get_adapters())):
        print(f"\n{adapters}")
    return 0


def _sorted(
    models: Sequence[ModelInfo], skipped: Sequence[Skipped]
) -> tuple[list[ModelInfo], list[Skipped]]:
    """Return what is offered, those that can be loaded first, and what is not."""
    offered, passed_over = [], list(skipped)
    for model in models:
        reason = why_not_offered(facts_of(model).purpose)
        if reason:
            passed_over.append(Skipped(model.path, reason))
        else:
            offered.append(model)
    offered.sort(key=lambda model: model.problem is not None)
    return offered, passed_over


def _print_table(models: Sequence[ModelInfo], manager: ModelManager, words: Sequence[str]) -> None:
    if not models and words:
        print(f"No model has {shown(' '.join(words))!r} in its name or as its quantisation.")
        return
    if not models:
        print(
            f"No models in {manager.models_dir}. 'comparator starter' brings a set to begin with."
        )
        return
    places = [str(manager.models_dir.absolute()), *map(str, manager.more_dirs)]
    places += [title_of(key) for key in manager.sources]
    print(f"Models in {', '.join(places)}:")
    print(models_as_text(models))


def _print_skipped(skipped: Sequence[Skipped], as_json: bool) -> None:
    if as_json:
        _print_json([{"path": entry.path, "reason": entry.reason} for entry in skipped])
        return
    for entry in skipped:
        print(f"{shown(entry.path)}: {shown(entry.reason)}")


def _print_json(records: list[dict[str, Any]]) -> None:
    json.dump(records, sys.stdout, indent=2)
    print()


def _hint(number: int) -> str:
    entries = "1 entry is" if number == 1 else f"{number} entries are"
    return f"{entries} not offered; comparator models --skipped says why."
