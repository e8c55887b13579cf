"""docs/assertions.md is true: its examples are read, and its lists are whole."""

from __future__ import annotations

import re
from pathlib import Path

from comparator.evaluation import suite_files
from comparator.evaluation.assertions import NAMES
from comparator.evaluation.suite_files.items import COLUMNS
from comparator.evaluation.suite_files.templates import FILTERS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "assertions.md").read_text("utf-8")


def example(language: str) -> bytes:
    """Return the page's first example in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1].encode()


def named_first(row: str) -> set[str]:
    """Return what the first column of the page's tables names, in rows that match."""
    rows = re.findall(rf"^\|(?P<first>[^|]*{row}[^|]*)\|", PAGE, re.MULTILINE)
    return {name for first in rows for name in re.findall(r"`([^`]+)`", first)}


def test_its_examples_are_read_without_a_note() -> None:
    table = suite_files.parsed("a.jsonl", example("json"))
    assert [len(item.assertions) for item in table.items] == [2, 1, 1]
    assert not table.notes
    of_promptfoo = suite_files.parsed("a.yaml", example("yaml"))
    assert [len(item.assertions) for item in of_promptfoo.items] == [2, 2, 2, 2]
    assert not of_promptfoo.notes


def test_it_names_every_type_column_ending_and_filter() -> None:
    assert set(NAMES) <= named_first("`")
    assert set(COLUMNS) <= named_first("`")
    assert set(suite_files.ENDINGS) <= named_first(r"`\.")
    of_templates = PAGE[PAGE.index("the filters") :].split(".", 1)[0]
    assert re.findall(r"`([a-z]+)`", of_templates) == list(FILTERS)
