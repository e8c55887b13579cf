"""``comparator quantize``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from comparator.cli.commands.options import ModelsDirs, NoSource, look_up_in, own_folder
from comparator.cli.display.model_table import models_as_text
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.library import quantisations
from comparator.library.changes import quantising
from runners.supervision.fork_server import fork_servers


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Id, name or path of a GGUF model.")
    ],
    more: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="NAME", help="More quantisations, as they follow --to NAME."),
    ] = None,
    to: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--to", metavar="NAME", help="What to make, such as Q8_0 Q4_K_M Q2_K; repeatable."
        ),
    ] = None,
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
) -> int:
    """Make other quantisations of a GGUF model, by llama.cpp.

    For example: comparator quantize MODEL --to Q8_0 Q4_K_M Q2_K

    They are put into your models folder beside the others; the source is left alone.
    """
    name, wanted = _told_apart([model, *(more or [])], to or [])
    source = look_up_in(models_dir, no_source)(name)
    try:
        ladder = quantising.plan(source, wanted, own_folder(models_dir).absolute())
        _announce(ladder)
        models = _make(ladder)
    finally:
        fork_servers.close()
    print(models_as_text(models))
    return 0


def _told_apart(words: Sequence[str], to: Sequence[str]) -> tuple[str, list[str]]:
    """Return the model and the quantisations: an option takes one word, so others lie about."""
    model = next((word for word in words if not quantisations.is_name(word)), None)
    if model is None:
        raise ConfigurationError(
            "Name the model to quantise: comparator quantize MODEL --to Q8_0 Q4_K_M"
        )
    others = list(words)
    others.remove(model)
    return model, [*to, *others]


def _announce(ladder: quantising.Ladder) -> None:
    for warning in ladder.warnings:
        print(f"note: {with_controls_shown(warning)}", file=sys.stderr)
    for rung in ladder.rungs:
        print(
            f"{rung.quantisation}: {fine_size(rung.expected_bytes)}, "
            f"{rung.bits_per_weight:.2f} bits per weight",
            file=sys.stderr,
        )


def _make(ladder: quantising.Ladder) -> list[ModelInfo]:
    models = []
    with _bar() as bar, closing(quantising.make(ladder)) as steps:
        tasks: dict[str, TaskID] = {}
        for step in steps:
            words = _words(step)
            if words not in tasks:
                tasks[words] = bar.add_task(words, total=step.total)
            bar.update(tasks[words], completed=step.done, total=step.total)
            if step.model is not None:
                models.append(step.model)
    return models


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        yield bar


def _words(step: quantising.QuantisingProgress) -> str:
    if step.step == "wait":
        return "waiting for another program that makes models here"
    if step.rung is None:
        return "reading the source"
    return f"making {step.rung.quantisation}"
