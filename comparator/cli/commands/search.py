"""``comparator search``."""

from __future__ import annotations

import json
import sys
from enum import Enum
from typing import Annotated, Any, Optional

import typer
from rich.console import Console

from comparator.cli.display.download_bar import show_found
from comparator.core.models import ModelType
from comparator.hub import catalogue


class Engine(str, Enum):
    """The engines that the hub has models for."""

    gguf = "gguf"
    pytorch = "pytorch"


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a repository's name.")],
    engine: Annotated[
        Optional[Engine],  # noqa: UP045
        typer.Option("--engine", help="Only models for this engine."),
    ] = None,
    licence: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--licence", "--license", metavar="NAME", help="Such as apache-2.0 or mit."),
    ] = None,
    max_size: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--max-size",
            metavar="GB",
            min=0.001,
            help="Only what has a file or a quantisation of at most this size; looks into each.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=catalogue.MOST_RESULTS, help="How many.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
) -> int:
    """Search the Hugging Face Hub for models that can be run here.

    Fetch one with: comparator pull ORG/NAME
    """
    found = catalogue.search(
        text,
        ModelType(engine.value) if engine else None,
        licence,
        round(max_size * 1e9) if max_size else None,
        limit,
    )
    if as_json:
        json.dump([_record(one) for one in found], sys.stdout, ensure_ascii=False, indent=2)
        print()
    elif found:
        show_found(found, Console())
    else:
        print("Nothing on the hub fits. Use fewer or shorter words.", file=sys.stderr)
    return 0


def _record(found: catalogue.SearchHit) -> dict[str, Any]:
    return {
        "id": found.id,
        "engines": [engine.value for engine in found.engines],
        "downloads": found.downloads,
        "likes": found.likes,
        "parameters": found.parameters,
        "licence": found.licence,
        "gated": found.is_gated,
        "choices": [{"name": one.name, "size": one.size} for one in found.choices],
    }
