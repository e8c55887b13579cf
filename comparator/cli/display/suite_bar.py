"""A suite while it runs: a bar in a terminal, a line for each step elsewhere.

Nothing moves while a model writes an answer: it is drawn when one has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from comparator.cli.display.model_table import shown
from comparator.core.units import long_time
from comparator.evaluation.suite_progress import SuiteProgress
from comparator.storage.kept_suite import KeptSuite

Show = Callable[[SuiteProgress], None]
_LINES = 10  # of a slot, in a log


class SuiteBar:
    """One bar for all cells, redrawn after each."""

    def __init__(self, console: Console, kept: KeptSuite) -> None:
        self._kept = kept
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
            auto_refresh=False,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Show:
        """Begin to draw and return the function that takes how far it has come."""
        self._bar.start()
        return self._show

    def __exit__(self, *error: object) -> None:
        """Leave the last picture on the screen."""
        self._bar.stop()

    def _show(self, progress: SuiteProgress) -> None:
        if self._task is None:
            self._task = self._bar.add_task("", total=progress.total, words="")
        self._bar.update(
            self._task,
            completed=progress.ended,
            description=step_of(self._kept, progress),
            words=figures_of(progress),
        )
        self._bar.refresh()


class SuiteLines:
    """Tells each step as a line, and some of the way through a slot, for logs and pipes."""

    def __init__(self, stream: TextIO, kept: KeptSuite) -> None:
        self._stream, self._kept = stream, kept
        self._step, self._told = "", 0

    def __enter__(self) -> Show:
        """Return the function that takes how far it has come."""
        return self._show

    def __exit__(self, *error: object) -> None:
        """Leave nothing open."""

    def _show(self, progress: SuiteProgress) -> None:
        step = step_of(self._kept, progress)
        each = max(1, progress.total // max(1, len(self._kept.slots)) // _LINES)
        if step == self._step and progress.ended - self._told < each:
            return
        if step:
            self._step, self._told = step, progress.ended
            print(f"{step}: {figures_of(progress)}", file=self._stream, flush=True)


def step_of(kept: KeptSuite, progress: SuiteProgress) -> str:
    """Return what goes on, with the model where it is one's; empty at the end."""
    if progress.percent is not None:
        return f"{progress.stage}, {progress.percent} % done"
    if progress.slot is None:
        return progress.stage
    return f"{progress.stage} {shown(kept.slots[progress.slot].label)}"


def figures_of(progress: SuiteProgress) -> str:
    """Return how far a suite has come, and how long it will take."""
    words = [f"{progress.ended}/{progress.total}"]
    if progress.failed:
        words.append(f"{progress.failed} failed")
    if progress.seconds_left and progress.ended < progress.total:
        words.append(f"about {long_time(progress.seconds_left)} left")
    return ", ".join(words)
