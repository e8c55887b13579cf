"""``comparator models``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from comparator.services.model_manager import ModelManager
from comparator.services.settings import default_models_dir
from comparator.terminal.tables import model_record, show_models


def show(models_dir: Path | None, as_json: bool) -> int:
    """Print the models of a folder as a table or as JSON; return the exit code."""
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
