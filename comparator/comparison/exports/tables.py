"""Results as records in JSON and JSON lines, and as rows of CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from comparator.comparison.exports.sheet import Sheet
from comparator.core.models import InferenceResult
from comparator.core.text import plain

_MODEL = ("id", "name", "model_type", "path", "size")
_STATS = (
    "duration",
    "load_seconds",
    "time_to_first_token",
    "prompt_tokens",
    "token_count",
    "tokens_per_second",
    "memory_usage",
    "finish_reason",
    "cpu_share",
    "files_cached",
    "time_to_first_answer_token",
    "characters_per_second",
)
_THINKING = ("text", "tokens", "seconds")
_REST = (
    *("way", "notice", "fallbacks", "error"),
    *("thinking", "thinking_tokens", "thinking_seconds", "content"),
)
# What makes spreadsheets take a cell for a formula, after OWASP's page on CSV injection. Some of
# them skip what is blank or invisible before it, and read the full-width forms as well.
_FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")
_SKIPPED = " \u00a0\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e"

Record = Mapping[str, Any]


def as_json(results: Sequence[InferenceResult]) -> str:
    """Return a JSON list of records."""
    return _json([result.to_record() for result in results])


def as_json_lines(results: Sequence[InferenceResult]) -> str:
    """Return one record a line."""
    return _lines([result.to_record() for result in results])


def as_csv(results: Sequence[InferenceResult]) -> str:
    """Return one row a model; a text that a spreadsheet would run begins with an apostrophe."""
    return _csv([result.to_record() for result in results])


def sheet_json(sheet: Sheet) -> str:
    """Return a JSON list of a comparison's records."""
    return _json(sheet.records)


def sheet_json_lines(sheet: Sheet) -> str:
    """Return a comparison's records, one a line."""
    return _lines(sheet.records)


def sheet_csv(sheet: Sheet) -> str:
    """Return a comparison as CSV, one row a column of it."""
    return _csv(sheet.records)


def harmless(value: object) -> object:
    """Return a cell that no spreadsheet runs: text that looks like a formula gets an apostrophe.

    Numbers stay numbers. https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\ufffd")  # of what follows it spreadsheets read nothing
    begins = text.lstrip(_SKIPPED)[:1] or text[:1]
    return f"'{text}" if begins in _FORMULA and begins else text


def _json(records: Sequence[Record]) -> str:
    return json.dumps(plain(list(records)), ensure_ascii=False, indent=2) + "\n"


def _lines(records: Sequence[Record]) -> str:
    return "".join(json.dumps(plain(record), ensure_ascii=False) + "\n" for record in records)


def _csv(records: Sequence[Record]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_MODEL, *_STATS, *_REST])
    for record in records:
        writer.writerow([harmless(cell) for cell in _row(plain(record))])
    return out.getvalue()


def _row(record: Record) -> list[object]:
    model, stats, engine = (record.get(part) or {} for part in ("model", "stats", "engine"))
    thinking = record.get("thinking") or {}
    return [
        *(model.get(key) for key in _MODEL),
        *(stats.get(key) for key in _STATS),
        engine.get("way", ""),
        record.get("notice") or "",
        " ".join(engine.get("fallbacks") or ()),
        record.get("error"),
        *(thinking.get(key) for key in _THINKING),
        record.get("content"),
    ]
