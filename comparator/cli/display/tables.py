"""Progress bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:  # the list of models must not load what makes them
    from comparator.library.changes.starter import Progress as Report
    from comparator.library.changes.starter import StarterProgress


@contextmanager
def starter_bar(console: Console) -> Iterator[Report]:
    """Show a progress bar and yield the function that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("starter models", total=1.0)

        def report(progress: StarterProgress) -> None:
            bar.update(task, description=progress.step, completed=progress.share)

        yield report
