"""A suite as CSV and JSON lines, a row or a line a cell, and as the JSON of ``suite show``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import msgspec

from comparator.comparison.exports.tables import harmless
from comparator.comparison.record_facts import text_of, value_of
from comparator.core.text import plain
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.shown import shown
from comparator.storage.kept_suite import AssertionOutcome, Cell, Record

_STATS = ("prompt_tokens", "token_count", "tokens_per_second", "time_to_first_token", "duration",
          "finish_reason")  # fmt: skip
COLUMNS = (
    *("suite", "slot", "label", "model", "model_type", "configuration"),
    *("prompt", "id", "tags", "repeat", "state", "batch"),
    *("passed", "assertions_passed", "assertions_told", "assertions"),
    *("seed", *_STATS, "question", "expected", "thinking", "content", "error"),
)


def suite_json(contents: Contents) -> str:
    """Return what ``comparator suite show --json`` has."""
    return json.dumps(plain(shown(contents.kept)), ensure_ascii=False, indent=2) + "\n"


def suite_json_lines(contents: Contents) -> str:
    """Return one cell a line: where it stands, its record, and what became of its assertions."""
    return "".join(
        json.dumps(plain(_line(contents, cell)), ensure_ascii=False) + "\n"
        for cell in contents.kept.cells
    )


def suite_csv(contents: Contents) -> str:
    """Return one cell a row; a text that a spreadsheet would run begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for cell in contents.kept.cells:
        row = plain(_row(contents, cell))
        writer.writerow([harmless(row[name]) for name in COLUMNS])
    return out.getvalue()


def _place(contents: Contents, cell: Cell) -> Record:
    """Return where a cell stands and how it fared."""
    slot, item = contents.kept.slots[cell.slot], contents.kept.suite.items[cell.prompt]
    return {
        "suite": contents.kept.id,
        "slot": cell.slot,
        "label": slot.label,
        "configuration": slot.configuration,
        "prompt": cell.prompt,
        "id": item.id,
        "tags": list(item.tags),
        "expected": item.expected,
        "repeat": cell.repeat,
        "state": cell.state,
        "batch": cell.batch,
        "passed": cell.passed,
    }


def _line(contents: Contents, cell: Cell) -> Record:
    told = [msgspec.to_builtins(outcome) for outcome in cell.assertions]
    item = contents.kept.suite.items[cell.prompt]
    asked = {"messages": item.messages}
    return {**_place(contents, cell), **asked, "record": cell.record, "assertions": told}


def _row(contents: Contents, cell: Cell) -> Record:
    record, slot = cell.record or {}, contents.kept.slots[cell.slot]
    told = [one.passed for one in cell.assertions if one.passed is not None]
    return {
        **_place(contents, cell),
        "model": text_of(slot.model, "name"),
        "model_type": text_of(slot.model, "model_type"),
        "tags": " ".join(contents.kept.suite.items[cell.prompt].tags),
        "assertions_passed": told.count(True) if told else None,
        "assertions_told": len(told) if told else None,
        "assertions": "\n".join(_assertions(cell.assertions)),
        "seed": value_of(record, "config", "seed"),
        **{name: value_of(record, "stats", name) for name in _STATS},
        "question": contents.kept.suite.items[cell.prompt].question,
        "thinking": value_of(record, "thinking", "text"),
        "content": record.get("content"),
        "error": contents.without_paths(str(record.get("error") or "")) or None,
    }


def _assertions(outcomes: list[AssertionOutcome]) -> Iterator[str]:
    words = {True: "passed", False: "failed", None: "not told"}
    return (f"{one.type}: {words[one.passed]}: {one.reason}" for one in outcomes)
