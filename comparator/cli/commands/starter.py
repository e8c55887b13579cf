"""``comparator starter``."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from comparator.cli.commands.options import ModelsDirs, own_folder
from comparator.cli.display.model_table import models_as_text
from comparator.cli.display.tables import starter_bar
from comparator.cli.errors import tell
from comparator.core.exceptions import MultiLLMError
from comparator.library.changes import starter
from runners.supervision.fork_server import fork_servers


def command(models_dir: ModelsDirs = None) -> int:
    """Put four small models in place, made offline.

    Safe to repeat and to interrupt.
    """
    with starter_bar(Console(stderr=True)) as report:
        models = starter.install(own_folder(models_dir).absolute(), report)
    fork_servers.close()
    print(models_as_text(models))
    return 0


def bring(models_dir: Path) -> None:
    """Put the starter models in place before a page opens; say where, and what failed."""

    def report(progress: starter.StarterProgress) -> None:
        if not progress.done:
            print(f"starter models: {progress.step}", file=sys.stderr, flush=True)

    print(f"models folder: {models_dir.absolute()}", file=sys.stderr, flush=True)
    try:
        models = starter.install(models_dir.absolute(), report)
        names = ", ".join(model.name for model in models)
        print(f"starter models: in place: {names}", file=sys.stderr, flush=True)
    except MultiLLMError as error:
        tell(error)
