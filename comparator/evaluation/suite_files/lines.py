"""Suites of a prompt a line, of JSON lines, and of CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown
from comparator.evaluation.assertions.findings import quoted
from comparator.evaluation.suite_files.items import COLUMNS, PROMPTS, FileRow
from comparator.evaluation.suite_files.notes import Notes

_DELIMITERS = ",;\t"


def lines_of(text: str) -> list[str]:
    """Return the lines of a text; characters that only look like their ends end none."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def of_text(name: str, text: str, _notes: Notes) -> Iterator[FileRow]:
    """Yield a row for each line that is not blank."""
    for number, line in enumerate(lines_of(text), start=1):
        if line.strip():
            yield FileRow(f"{name}, line {number}", {"prompt": line.strip()})


def of_json_lines(name: str, text: str, _notes: Notes) -> Iterator[FileRow]:
    """Yield a row for each line, which is a JSON object."""
    for number, line in enumerate(lines_of(text), start=1):
        if line.strip():
            where = f"{name}, line {number}"
            yield FileRow(where, _object(json_of(line, where), where))


def of_json(name: str, text: str, notes: Notes) -> Iterator[FileRow]:
    """Yield a row for each object of a JSON list."""
    found = json_of(text, name)
    if not isinstance(found, list):
        raise ConfigurationError(
            f"{name} must be a list of objects such as "
            '[{"prompt": "Why?"}]. Objects a line belong into a file that ends in .jsonl.'
        )
    for number, one in enumerate(found, start=1):
        where = f"{name}, item {number}"
        yield FileRow(where, _object(one, where))


def json_of(text: str, where: str) -> Any:
    """Return what JSON text says.

    Raises:
        ConfigurationError: it is none, and where.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, " if "\n" in text.strip() else ""
        raise ConfigurationError(
            f"{where} is no JSON: {error.msg} at {at}character {error.colno}."
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where} cannot be read: {error}.") from None


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = "text" if isinstance(value, str) else type(value).__name__
        raise ConfigurationError(
            f'{where} must be an object such as {{"prompt": "Why?"}}, not {kind}.'
        )
    return value


def of_csv(name: str, text: str, notes: Notes) -> Iterator[FileRow]:
    """Yield a row for each line below the first, which names the columns."""
    delimiter = delimiter_of(text)
    if delimiter != ",":
        notes.add(f"{name} separates its columns by {_DELIMITER_NAMES[delimiter]}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begin = 1
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        _check_header(name, header)
        begin = reader.line_num + 1
        for cells in reader:
            where = f"{name}, line {begin}"
            begin = reader.line_num + 1
            if any(cell.strip() for cell in cells):
                yield FileRow(where, _row_of(cells, header, where))
    except csv.Error as error:
        raise ConfigurationError(f"{name}, line {begin}: {_no_csv(error)}") from None


_DELIMITER_NAMES = {";": "semicolons", "\t": "tabs"}


def _no_csv(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a text has more than {csv.field_size_limit()} characters. Use a .jsonl file."
    return (
        f"this is no CSV ({error}). A text with commas, quotation marks or line breaks stands in "
        '"quotation marks", and those in it are doubled.'
    )


def delimiter_of(text: str) -> str:
    """Return what separates the columns in the first line that says something."""
    first = next((line for line in lines_of(text) if line.strip()), "")
    found = [one for one in _DELIMITERS if columns_in(first, one) > 0]
    return max(found, key=lambda one: columns_in(first, one), default=",")


def columns_in(line: str, delimiter: str) -> int:
    """Return how many columns that are known a line names, separated so."""
    names = {name.strip().strip('"').strip().lower() for name in line.split(delimiter)}
    return len(names & set(COLUMNS))


def _check_header(name: str, header: list[str]) -> None:
    doubled = sorted({column for column in header if column and header.count(column) > 1})
    if doubled:
        raise ConfigurationError(
            f"{name} has the column {quoted(doubled[0])} twice. Leave one out."
        )
    if not {*PROMPTS, "messages"} & set(header):
        shown = ", ".join(quoted(name_shown(column), 30) for column in header[:20])
        raise ConfigurationError(
            f"{name} has no column of prompts. Its first line must name the columns, one of them "
            f"{', '.join(PROMPTS)} or messages; it names {shown}."
        )


def _row_of(cells: list[str], header: list[str], where: str) -> dict[str, Any]:
    if len(cells) != len(header):
        raise ConfigurationError(
            f"{where} has {len(cells)} columns, and the first line names {len(header)}. Put a text "
            'with commas or line breaks into "quotation marks".'
        )
    return dict(zip(header, cells, strict=True))
