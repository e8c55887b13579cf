"""``comparator starter``."""

from __future__ import annotations

from rich.console import Console

from comparator.commands.options import ModelsDir
from comparator.library import starter
from comparator.services.settings import default_models_dir
from comparator.terminal.tables import show_models, starter_bar
from runners.zygote import zygotes


def command(models_dir: ModelsDir = None) -> int:
    """Put four small models in place, made offline.

    Safe to repeat and to interrupt.
    """
    with starter_bar(Console(stderr=True)) as report:
        models = starter.install((models_dir or default_models_dir()).absolute(), report)
    zygotes.close()
    show_models(models, Console())
    return 0
