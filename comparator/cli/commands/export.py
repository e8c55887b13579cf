"""``comparator export``."""

from __future__ import annotations

import contextlib
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from comparator.cli.commands.saving import Overwrite, refuse_overwriting, save
from comparator.cli.commands.show import Name
from comparator.cli.display.kept import earlier_of, from_history
from comparator.cli.errors import tell
from comparator.comparison.card import card_of, text_of, without_digests
from comparator.comparison.exports import FORMATS
from comparator.comparison.exports.pair import FIRST_TWO, left_out, sheet_pair
from comparator.comparison.exports.sheet import Sheet
from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import LETTERS
from comparator.storage.history import History
from comparator.storage.kept_comparison import KeptComparison


class Form(str, Enum):
    """The forms to take away."""

    md = "md"
    html = "html"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    card = "card"
    pair = "pair"
    promptfoo = "promptfoo"


To = Annotated[
    Form,
    typer.Option(
        "--to",
        help="md, html, json, jsonl, csv; card: a reproduction card; pair: LLM Comparator's JSON; "
        "promptfoo: what 'promptfoo import' takes.",
    ),
]
File = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--file", "-f", metavar="FILE", help="Where to; standard output by default."),
]
Columns = Annotated[
    str,
    typer.Option("--columns", metavar="AB", help="The two columns that pair takes."),
]


def command(
    comparison: Name,
    to: To,
    file: File = None,
    overwrite: Overwrite = False,
    columns: Columns = "AB",
) -> int:
    """Write a comparison of the history in a form to take away."""
    if file is not None:
        refuse_overwriting(file, overwrite)
    with contextlib.closing(History()) as history:
        kept = from_history(history, comparison)
        text = _text(kept, to.value, _numbers(columns), earlier_of(history, kept))
    if file is None:
        sys.stdout.write(text)
        return 0
    save(file, text)
    tell(f"Written to {file}.")
    return 0


def _text(
    kept: KeptComparison, form: str, columns: tuple[int, ...], earlier: list[KeptComparison]
) -> str:
    if form == Form.pair:
        note = left_out(len(kept.records), columns)
        text = sheet_pair(Sheet.of(kept, earlier), columns)
        if note:
            tell(f"{note} --columns names others.")
        return text
    if form == Form.card:
        card = card_of(kept)
        for name in without_digests(card):
            tell(
                f"The files of {name} are gone or have changed since: the card knows it by name "
                "and size alone."
            )
        return text_of(card)
    return FORMATS[form].of(kept, earlier)


def _numbers(letters: str) -> tuple[int, ...]:
    """Return the numbers of two columns that are named by their letters."""
    numbers = tuple(LETTERS.find(letter) for letter in letters.upper().replace(",", ""))
    if len(numbers) != len(FIRST_TWO) or -1 in numbers:
        raise ConfigurationError("--columns takes two letters of columns, such as AB or AC.")
    return numbers
