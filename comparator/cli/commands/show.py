"""``comparator show``."""

from __future__ import annotations

import contextlib
import sys
from enum import Enum
from typing import Annotated

import typer

from comparator.cli.display.kept import earlier_of, from_history
from comparator.comparison.exports import FORMATS
from comparator.storage.history import History

Name = Annotated[
    str,
    typer.Argument(metavar="ID|last", help="Its id, or a beginning of it; last: the latest one."),
]


class Form(str, Enum):
    """How a comparison is shown."""

    text = "text"
    md = "md"
    json = "json"
    html = "html"


Output = Annotated[Form, typer.Option("--output", "-o", help="How it is shown.")]


def command(comparison: Name, output: Output = Form.text) -> int:
    """Show a comparison of the history."""
    with contextlib.closing(History()) as history:
        kept = from_history(history, comparison)
        earlier = earlier_of(history, kept)
    sys.stdout.write(FORMATS[output.value].of(kept, earlier))
    return 0
