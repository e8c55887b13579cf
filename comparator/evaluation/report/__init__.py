"""What is taken away of a suite, in the forms that people and programs read.

``FORMATS`` has them by the ending of their file's name; ``written`` writes one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown
from comparator.evaluation.report import tables
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.markdown import suite_markdown
from comparator.evaluation.report.promptfoo import suite_promptfoo
from comparator.evaluation.report.web_page import suite_html
from comparator.storage.kept_suite import KeptSuite

JSON = "application/json"


class Format(NamedTuple):
    """One form of report.

    Attributes:
        write: makes its text of a suite.
        media_type: of its content.
        name: for people.
    """

    write: Callable[[Contents], str]
    media_type: str
    name: str


FORMATS: dict[str, Format] = {
    ".html": Format(suite_html, "text/html", "Web page"),
    ".md": Format(suite_markdown, "text/markdown", "Markdown"),
    ".csv": Format(tables.suite_csv, "text/csv", "CSV, a row an answer"),
    ".jsonl": Format(tables.suite_json_lines, "application/jsonl", "JSON lines, a line an answer"),
    ".json": Format(tables.suite_json, JSON, "JSON, as `suite show --json`"),
    ".promptfoo.json": Format(suite_promptfoo, JSON, "promptfoo's results"),
}


def written(kept: KeptSuite, ending: str) -> bytes:
    """Return a suite in a form, as the content of a file in UTF-8.

    Args:
        kept: the suite, whole or as far as it has come.
        ending: a key of ``FORMATS``, with or without its dot.

    Raises:
        ConfigurationError: there is no such form.
    """
    known = FORMATS.get(ending if ending.startswith(".") else f".{ending}")
    if known is None:
        raise ConfigurationError(_unknown(ending))
    return known.write(Contents.of(kept)).encode("utf-8", "replace")


def ending_of(name: str) -> str:
    """Return the ending by which a file's name says its form.

    Raises:
        ConfigurationError: it ends in none of them.
    """
    found = [ending for ending in FORMATS if name.lower().endswith(ending)]
    if not found:
        raise ConfigurationError(_unknown(name))
    return max(found, key=len)


def file_name(kept: KeptSuite, ending: str) -> str:
    """Return a safe name for the file of a suite: of its id and nothing else."""
    plain = "".join(letter for letter in kept.id if letter.isascii() and letter.isalnum())
    return f"suite-{plain[:32] or 'unnamed'}{ending}"


def _unknown(name: str) -> str:
    return (
        f"No report is written as {name_shown(name)[:80]!r}. A file's name says the form by its "
        f"ending: {', '.join(FORMATS)}."
    )
