"""The list of models as a table, and progress bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown
from comparator.library.model_facts import facts_of
from comparator.services.exports import megabytes

if TYPE_CHECKING:  # the list of models must not load what makes them
    from comparator.library.starter import Progress as Report
    from comparator.library.starter import StarterProgress


def model_record(model: ModelInfo) -> dict[str, Any]:
    """Return what ``comparator models --json`` says of a model."""
    facts = facts_of(model)
    return {
        **model.to_record(),
        "architecture": facts.architecture,
        "quantisation": facts.quantisation,
        "context_length": facts.context_length,
        "has_chat_template": facts.has_chat_template,
        "problem": model.problem,
    }


def show_models(models: Sequence[ModelInfo], console: Console) -> None:
    """Print the models that can be run, and below them those that cannot, with the reason."""
    table = Table(
        "id",
        "engine",
        "quant",
        "size",
        "context",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
    )
    table.add_column("name", overflow="fold")  # nothing that a person must type is cut
    for model in models:
        if model.problem is None:
            table.add_row(*_row(model))
    console.print(table)
    for model in models:
        if model.problem is not None:
            name = with_controls_shown(model.path)
            console.print(f"cannot be loaded: {name}: {model.problem}", markup=False, style="red")


def _row(model: ModelInfo) -> list[str]:
    facts = facts_of(model)
    return [
        model.id,
        model.model_type.value,
        facts.quantisation or "–",
        megabytes(model.size),
        str(facts.context_length or "–"),
        with_controls_shown(model.name),
    ]


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
