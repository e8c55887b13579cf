"""The doors: a file, its bytes, or what was pasted, to a suite."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown, with_controls_shown
from comparator.core.units import fine_size
from comparator.evaluation.suite_files import bounds, lines, parquet, promptfoo, yaml_text
from comparator.evaluation.suite_files.decoding import text_of
from comparator.evaluation.suite_files.items import FileRow, suite_of
from comparator.evaluation.suite_files.notes import Notes
from comparator.storage.kept_suite import Suite

Rows = Callable[[str, str, Notes], Iterator[FileRow]]
PASTED = "What was pasted"


def _of_yaml(name: str, text: str, notes: Notes) -> Iterator[FileRow]:
    yield from promptfoo.rows_of(name, yaml_text.value_of(name, text), notes)


def _of_json(name: str, text: str, notes: Notes) -> Iterator[FileRow]:
    if text.lstrip().startswith("{"):
        yield from promptfoo.rows_of(name, lines.json_of(text, name), notes)
    else:
        yield from lines.of_json(name, text, notes)


_FORMATS: dict[str, Rows] = {
    ".txt": lines.of_text,
    ".jsonl": lines.of_json_lines,
    ".csv": lines.of_csv,
    ".yaml": _of_yaml,
    ".yml": _of_yaml,
    ".json": _of_json,
}
PARQUET = ".parquet"
ENDINGS = (*_FORMATS, PARQUET)


def read(path: Path) -> Suite:
    """Return the suite that a file has; its format is told by the ending of its name.

    Raises:
        ConfigurationError: it cannot be read, or something in it is wrong, and where.
    """
    shown = with_controls_shown(str(path))
    try:
        place = path.expanduser()
        if not stat.S_ISREG(os.stat(place).st_mode):  # a pipe would be waited for
            raise ConfigurationError(f"{shown} is no file. Name a file with prompts.")
        with open(place, "rb") as file:
            data = file.read(bounds.MOST_BYTES + 1)
    except (OSError, RuntimeError, ValueError) as error:  # a home that nobody has; NUL in a name
        if isinstance(error, ConfigurationError):
            raise
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{shown} cannot be read: {why}. Name a file that can.") from None
    return parsed(path.name, data)


def parsed(name: str, data: bytes) -> Suite:
    """Return the suite that the bytes of a file have.

    Args:
        name: of the file; its ending tells the format, the rest of it names the suite.
        data: what is in the file.

    Raises:
        ConfigurationError: something is wrong with it, and in which line or item.
    """
    shown, ending = name_shown(Path(name).name), ending_of(name)
    title = os.path.splitext(shown)[0]
    if ending not in ENDINGS:
        raise ConfigurationError(
            f"{shown} ends in none of {', '.join(ENDINGS)}, which tell what a file of prompts is."
        )
    if len(data) > bounds.MOST_BYTES:
        raise ConfigurationError(
            f"{shown} has more than {fine_size(bounds.MOST_BYTES)}. Make several suites of it."
        )
    notes = Notes()
    if ending == PARQUET:
        rows = parquet.rows_of(shown, data, notes)
    else:
        rows = _FORMATS[ending](shown, text_of(shown, data), notes)
    return _suite(title or shown, shown, rows, notes)


def ending_of(name: str) -> str:
    """Return the ending by which the format of a file of that name is told."""
    return os.path.splitext(name_shown(Path(name).name))[1].lower()


def pasted(text: str) -> Suite:
    """Return the suite that a pasted text has: a prompt a line, or what it clearly is instead.

    That is JSON lines or a JSON list where it begins like one and is one, CSV where the first
    line names columns, and promptfoo's YAML where it has ``prompts:`` or ``tests:``.

    Raises:
        ConfigurationError: it is empty or too long, or something in it is wrong, and where.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > bounds.MOST_BYTES:
        raise ConfigurationError(
            f"{PASTED} has more than {fine_size(bounds.MOST_BYTES)}. Use a file, or several."
        )
    notes = Notes()
    plain = text_of(PASTED, data)
    what, rows = _recognised(plain)
    if what:
        notes.add(f"It was read as {what}")
    return _suite("Pasted prompts", PASTED, rows(PASTED, plain, notes), notes)


def _suite(title: str, name: str, rows: Iterator[FileRow], notes: Notes) -> Suite:
    try:
        return suite_of(title, rows, notes)
    except ConfigurationError as error:
        words = str(error)
        raise ConfigurationError(words if name in words else f"{name}: {words}") from None


def _recognised(text: str) -> tuple[str, Rows]:
    """Return what a text is, in words, and what reads it; no words for a prompt a line."""
    begun = [line for line in lines.lines_of(text) if line.strip()]
    first = begun[0].strip()
    if first.startswith("{") and _is_json(first, dict):
        return "JSON lines", lines.of_json_lines
    if first.startswith("[") and _is_json(text, list):
        return "a JSON list", lines.of_json
    if any(line.startswith(("prompts:", "tests:")) for line in begun):
        return "promptfoo's YAML", _of_yaml
    if lines.columns_in(first, lines.delimiter_of(text)) >= 2 and len(begun) > 1:
        return "CSV, whose first line names the columns", lines.of_csv
    return "", lines.of_text


def _is_json(text: str, kind: type) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    listed = found if isinstance(found, list) else [found]
    return isinstance(found, kind) and all(isinstance(one, dict) for one in listed)
