"""``comparator models``."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from comparator.commands.options import ModelsDir
from comparator.services.model_manager import ModelManager
from comparator.services.settings import default_models_dir
from comparator.terminal.tables import model_record, show_models


def command(
    models_dir: ModelsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
) -> int:
    """List the models there are.

    Files that cannot be loaded are listed too, with the reason.
    """
    manager = ModelManager(models_dir or default_models_dir())
    models = manager.scan_models()
    for skipped in manager.skipped:
        print(f"skipped {skipped.path}: {skipped.reason}", file=sys.stderr)
    if as_json:
        json.dump(
            [model_record(model) for model in models], sys.stdout, ensure_ascii=False, indent=2
        )
        print()
    elif models:
        print(f"Models in {manager.models_dir.absolute()}:")
        show_models(models, Console())
    else:
        print(
            f"No models in {manager.models_dir}. 'comparator starter' brings a set to begin with."
        )
    return 0
