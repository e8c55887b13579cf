"""``comparator suite report``."""

from __future__ import annotations

import contextlib
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from comparator.cli.commands.saving import Overwrite, refuse_overwriting, save
from comparator.cli.commands.show import Name
from comparator.cli.display.kept import from_suites
from comparator.cli.errors import tell
from comparator.evaluation.report import FORMATS, ending_of, written
from comparator.storage.suites import Suites

STANDARD_OUTPUT = "-"


class Form(str, Enum):
    """The forms of a report."""

    html = "html"
    md = "md"
    csv = "csv"
    jsonl = "jsonl"
    json = "json"
    promptfoo = "promptfoo"

    @property
    def ending(self) -> str:
        """Of its file's name, a key of ``FORMATS``."""
        return ".promptfoo.json" if self is Form.promptfoo else f".{self.value}"


File = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help=f"Where to; its ending says the form: {', '.join(FORMATS)}. Standard output, in "
        "Markdown, by default.",
    ),
]
To = Annotated[
    Optional[Form],  # noqa: UP045
    typer.Option("--to", help="The form, where the file's ending does not say it."),
]


def report(suite: Name, file: File = None, to: To = None, overwrite: Overwrite = False) -> int:
    """Write a suite in a form to take away: a web page, Markdown, CSV, JSON, promptfoo's."""
    to_file = file is not None and str(file) != STANDARD_OUTPUT
    ending = to.ending if to else ending_of(file.name) if file and to_file else ".md"
    if file and to_file:
        refuse_overwriting(file, overwrite)
    with contextlib.closing(Suites()) as suites:
        data = written(from_suites(suites, suite), ending)
    if not file or not to_file:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)  # UTF-8 and CSV's own ends of lines, wherever it runs
        sys.stdout.buffer.flush()
        return 0
    save(file, data)
    tell(f"Written to {file}.")
    return 0
