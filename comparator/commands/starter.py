"""``comparator starter``."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from comparator.library import starter
from comparator.services.settings import default_models_dir
from comparator.terminal.tables import show_models, starter_bar
from runners.zygote import zygotes


def install(models_dir: Path | None) -> int:
    """Make the starter set with a progress bar and list it; return the exit code."""
    with starter_bar(Console(stderr=True)) as report:
        models = starter.install((models_dir or default_models_dir()).absolute(), report)
    zygotes.close()
    show_models(models, Console())
    return 0
