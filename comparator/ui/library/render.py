"""From the library's rows to what its table and panels show: plain values, pure functions."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Sequence
from typing import Any

from comparator.core.text import with_controls_shown
from comparator.core.units import count, size, speed
from comparator.hosting.library_actions import LadderStatus
from comparator.hosting.library_table import Apart, Row, Table
from comparator.library.changes.quantising import Ladder
from comparator.library.changes.removal import Removal
from comparator.library.labels import ENGINE_NAMES
from comparator.library.sources import title_of
from comparator.memory.verdicts import WORDS

# key, heading, whether numbers stand in it, width in pixels
COLUMNS: tuple[tuple[str, str, bool, int], ...] = (
    ("name", "Name", False, 232),
    ("engine", "Engine", False, 60),
    ("family", "Family", False, 104),
    ("quantisation", "Quantisation", False, 100),
    ("maker", "Maker", False, 96),
    ("bits", "Bits", True, 48),
    ("size", "Size", True, 66),
    ("parameters", "Weights", True, 70),
    ("context", "Context", True, 68),
    ("licence", "Licence", False, 84),
    ("kind", "Kind", False, 44),
    ("source", "Source", False, 84),
    ("fit", "Fit", False, 46),
    ("used", "Last used", True, 90),
    ("speed", "Speed", True, 88),
)
FILTERS = ("engine", "family", "quantisation", "maker", "kind", "licence", "source", "fit")
STEPS = {
    "wait": "Waiting: another program makes quantisations",
    "read": "Reading the source",
    "quantise": "Making",
    "made": "Made",
}
MOST_APART = 500
View = dict[str, Any]


def view(table: Table, is_public: bool, most_models: int) -> View:
    """Return what the table shows; on a public page without sources and without making.

    The column of makers is there where one is known.
    """
    left_out = {"source"} if is_public else set()
    if not any(row.maker for row in table.rows):
        left_out.add("maker")
    columns = [column for column in COLUMNS if column[0] not in left_out]
    return {
        "columns": [list(column) for column in columns],
        "filters": [key for key in FILTERS if key in [column[0] for column in columns]],
        "rows": [_row(row, [column[0] for column in columns]) for row in table.rows],
        "missing": table.missing,
        "unusable": _apart(table.unusable),
        "passed_over": _apart(table.passed_over),
        "own": not is_public,
        "most": most_models,
    }


def detail(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return everything known of one model as HTML."""
    shown = "".join(
        f"<div><dt>{_escaped(label)}</dt><dd>{_escaped(text)}</dd></div>" for label, text in pairs
    )
    return f"<h3>{_escaped(name)}</h3><dl>{shown}</dl>"


def note(sentence: str, is_trouble: bool = False) -> str:
    """Return a sentence for the line under the table as HTML; empty for none."""
    if not sentence:
        return ""
    role, kind = ("alert", "error") if is_trouble else ("status", "notice")
    return f'<p class="{kind}" role="{role}">{_escaped(sentence)}</p>'


def heading(words: str) -> str:
    """Return the heading of a panel as HTML."""
    return f"<h3>{_escaped(words)}</h3>"


def plan(ladder: Ladder) -> str:
    """Return what a ladder will be as HTML: sizes, bits per weight, and warnings."""
    rungs = "".join(
        f"<li><b>{_escaped(rung.quantisation)}</b> {size(rung.expected_bytes)}"
        f"{_bits(rung.bits_per_weight)}</li>"
        for rung in ladder.rungs
    )
    warnings = "".join(f"<p>{_escaped(warning)}</p>" for warning in ladder.warnings)
    return f"<ul>{rungs}</ul><p>Together {size(ladder.needed_bytes)}.</p>{warnings}"


def making(status: LadderStatus) -> str:
    """Return how far the making of a ladder is as HTML."""
    if status.is_over:
        return note(*_end_of(status))
    if status.progress is None:
        return note("Starting")
    news = status.progress.latest
    words = STEPS.get(news.step, news.step)
    rung = f" {news.rung.quantisation}" if news.rung else ""
    amount = f", {size(int(news.done))} of {size(int(news.total))}"
    words = f"{words}{rung}{amount if news.total and news.step != 'made' else ''}"
    return (
        f'<p class="notice" role="status">{_escaped(words)}</p>'
        f'<progress aria-label="Making quantisations" max="1" value="{news.share:.3f}"></progress>'
    )


def removal(plans: Sequence[Removal]) -> str:
    """Return the question before models are deleted as HTML, with everything that would go."""
    freed = size(sum(plan.bytes_freed for plan in plans), "0 bytes")
    names = ", ".join(plan.model.name for plan in plans)
    paths = [path for plan in plans for path in plan.paths]
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    shown = "".join(f"<li>{_escaped(str(path))}</li>" for path in paths[:MOST_APART])
    notes = "".join(f"<p>{_escaped(text)}</p>" for plan in plans for text in _notes(plan))
    return (
        f"<p>Remove <b>{_escaped(names)}</b>? This deletes {files} and frees {freed}.</p>"
        f"{notes}<details><summary>What is deleted</summary><ul>{shown}</ul></details>"
    )


def removed(plans: Sequence[Removal]) -> str:
    """Return what was removed, with the bytes it freed, as HTML."""
    names = ", ".join(plan.model.name for plan in plans)
    freed = size(sum(plan.bytes_freed for plan in plans), "0 bytes")
    return note(f"Removed {names}; {freed} freed.")


def _notes(plan: Removal) -> list[str]:
    kept = [f"Stays: {path}" for path in plan.kept]
    return [*plan.notes, *kept]


def _end_of(status: LadderStatus) -> tuple[str, bool]:
    made = ", ".join(status.progress.made) if status.progress else ""
    done = f"Made: {made}." if made else "Nothing was made."
    if status.trouble:
        return f"{status.trouble} {done if made else ''}".strip(), True
    return (f"Cancelled. {done}" if status.was_stopped else done), False


def _bits(value: float) -> str:
    return f", {value:.2f} bits per weight" if value else ""


def _row(row: Row, keys: Sequence[str]) -> View:
    cells = _cells(row)
    return {"id": row.id, "why": row.fit_sentence, "cells": [cells[key] for key in keys]}


def _cells(row: Row) -> dict[str, Any]:
    """Return the cells by column: a text, or a number to sort by and its text."""
    bits, rank = row.bits_per_weight, WORDS.index(row.fit) if row.fit in WORDS else None
    return {
        "name": _plain(row.name),
        "engine": ENGINE_NAMES.get(row.engine, row.engine),
        "family": _plain(row.family),
        "quantisation": _plain(row.quantisation),
        "maker": _plain(row.maker),
        "bits": [bits, f"{bits:.2f}" if bits else ""],
        "size": [row.size, size(row.size)],
        "parameters": [row.parameters, count(row.parameters)],
        "context": [row.context_length, str(row.context_length or "")],
        "licence": _plain(row.licence),
        "kind": row.kind,
        "source": title_of(row.source),
        "fit": [rank, row.fit],
        "used": [row.last_used, _day(row.last_used)],
        "speed": [row.best_tokens_per_second, speed(row.best_tokens_per_second)],
    }


def _day(moment: float | None) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment)) if moment else ""


def _apart(files: Sequence[Apart]) -> list[list[str]]:
    return [
        [_plain(file.name), _plain(file.place), _plain(file.reason)] for file in files[:MOST_APART]
    ]


def _plain(text: str) -> str:
    """Return one line without characters that steer anything."""
    return with_controls_shown(text).replace("\n", "\\n")


def _escaped(text: str) -> str:
    return html.escape(_plain(text))
