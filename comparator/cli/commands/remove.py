"""``comparator remove``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from comparator.cli.commands.options import ModelsDirs, own_folder
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.library.changes.removal import Removal, plan_removal, remove
from comparator.services.model_manager import ModelManager


def command(
    names: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="Ids, names or paths of models.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    models_dir: ModelsDirs = None,
) -> int:
    """Remove models from your models folder.

    What other tools keep is never touched, nor is what a link leads to.
    """
    folder = own_folder(models_dir)
    plans = [plan_removal(model, folder) for model in _named(names, folder)]
    for plan in plans:
        _show(plan)
    if not yes and not _is_wanted(plans):
        print("Nothing was removed.", file=sys.stderr)
        return 1
    for plan in plans:
        remove(plan)
        print(f"removed {_name(plan)} ({fine_size(plan.bytes_freed)} freed)")
    return 0


def _named(names: Sequence[str], folder: Path) -> list[ModelInfo]:
    manager = ModelManager(folder)
    manager.scan_models()
    found = [manager.find_model(name) for name in names]
    return list({model.path: model for model in found}.values())


def _show(plan: Removal) -> None:
    print(f"{_name(plan)} frees {fine_size(plan.bytes_freed)}:", file=sys.stderr)
    for path in plan.paths:
        print(f"  {with_controls_shown(str(path))}", file=sys.stderr)
    for note in plan.notes:
        print(f"  {note}", file=sys.stderr)


def _is_wanted(plans: Sequence[Removal]) -> bool:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Nothing was removed, since nobody can be asked here. Say --yes to remove it."
        )
    freed = fine_size(sum(plan.bytes_freed for plan in plans))
    try:
        return typer.confirm(f"Remove this and free {freed}?", err=True)
    except typer.Abort:  # Ctrl-C or Ctrl-D
        return False


def _name(plan: Removal) -> str:
    return with_controls_shown(plan.model.name)
