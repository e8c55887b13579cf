"""What is taken away of a comparison, in the forms that people and programs read.

``FORMATS`` are those of a kept comparison; ``OF_RESULTS`` those that a run writes at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from comparator.comparison import card
from comparator.comparison.exports import tables, texts
from comparator.comparison.exports.pair import sheet_pair
from comparator.comparison.exports.promptfoo import sheet_promptfoo
from comparator.comparison.exports.sheet import Sheet
from comparator.comparison.exports.web_page import sheet_html
from comparator.comparison.kept import KeptComparison
from comparator.core.models import InferenceResult

JSON = "application/json"


class Format(NamedTuple):
    """One form of export.

    Attributes:
        write: makes its text of a comparison.
        suffix: of its file's name.
        media_type: of its content.
    """

    write: Callable[[Sheet], str]
    suffix: str
    media_type: str

    def of(self, kept: KeptComparison, earlier: Sequence[KeptComparison] = ()) -> str:
        """Return a comparison in this form.

        Args:
            kept: the comparison.
            earlier: those that it may repeat, such as the one that it is a rerun of.

        Raises:
            ConfigurationError: this form cannot hold it, and why.
        """
        return self.write(Sheet.of(kept, earlier))


FORMATS: dict[str, Format] = {
    "text": Format(texts.sheet_text, ".txt", "text/plain"),
    "md": Format(texts.sheet_markdown, ".md", "text/markdown"),
    "html": Format(sheet_html, ".html", "text/html"),
    "json": Format(tables.sheet_json, ".json", JSON),
    "jsonl": Format(tables.sheet_json_lines, ".jsonl", "application/jsonl"),
    "csv": Format(tables.sheet_csv, ".csv", "text/csv"),
    "card": Format(lambda sheet: card.text_of(card.card_of(sheet.kept)), ".card.json", JSON),
    "pair": Format(sheet_pair, ".pair.json", JSON),
    "promptfoo": Format(sheet_promptfoo, ".promptfoo.json", JSON),
}
OF_RESULTS: dict[str, Callable[[Sequence[InferenceResult]], str]] = {
    "text": texts.as_text,
    "md": texts.as_markdown,
    "json": tables.as_json,
    "jsonl": tables.as_json_lines,
    "csv": tables.as_csv,
}


def file_name(kept: KeptComparison, name: str) -> str:
    """Return a safe name for the file of a comparison in a form: of its id and nothing else."""
    plain = "".join(letter for letter in kept.id if letter.isascii() and letter.isalnum())
    return f"comparison-{plain[:32] or 'unnamed'}{FORMATS[name].suffix}"
