"""From the library's rows to what its table and panels show: plain values, pure functions."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Sequence
from typing import Any

from comparator.core.text import with_controls_shown
from comparator.core.units import count, long_time, size, speed
from comparator.hosting.library.library_actions import LadderStatus
from comparator.hosting.library.library_table import Apart, LibraryRow, LibrarySnapshot
from comparator.library.changes.quantising import Ladder
from comparator.library.changes.removal import Removal
from comparator.library.labels import ENGINE_NAMES
from comparator.library.sources import title_of
from comparator.memory.fit import WORDS
from comparator.ui.worded import said, said_label, sentence

# key, whether numbers stand in it, width in pixels; the heading is the text "column_KEY"
COLUMNS: tuple[tuple[str, bool, int], ...] = (
    ("name", False, 232),
    ("engine", False, 60),
    ("family", False, 104),
    ("quantisation", False, 100),
    ("maker", False, 96),
    ("bits", True, 48),
    ("size", True, 74),
    ("parameters", True, 70),
    ("context", True, 68),
    ("licence", False, 84),
    ("kind", False, 44),
    ("source", False, 84),
    ("fit", False, 46),
    ("used", True, 90),
    ("speed", True, 88),
)
FILTERS = ("engine", "family", "quantisation", "maker", "kind", "licence", "source", "fit")
# The labels of a model's details that have a text; what else a service tells stands as it is.
DETAILS = {
    "Architecture": "architecture",
    "Quantised by": "quantised_by",
    "Doubtful": "doubtful",
    "Parameters": "parameters",
    "Tensors": "tensors",
    "Layers": "layers",
    "Heads": "heads",
    "Width": "width",
    "Vocabulary": "vocabulary",
    "KV cache": "kv_cache",
    "Chat template": "chat_template",
    "Base model": "base_model",
    "Own code": "own_code",
    "Maker's sampling": "makers_sampling",
    "Adapters": "adapters",
    "Fit": "fit",
    "Place": "place",
}
MOST_APART = 500
View = dict[str, Any]


def view(table: LibrarySnapshot, is_public: bool, most_models: int) -> View:
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
        f"<div><dt>{_label(label)}</dt><dd>{_escaped(text)}</dd></div>" for label, text in pairs
    )
    return f"<h3>{_escaped(name)}</h3><dl>{shown}</dl>"


def _label(label: str) -> str:
    return said(f"library.detail_{DETAILS[label]}") if label in DETAILS else _escaped(label)


def note(words: str, is_trouble: bool = False) -> str:
    """Return a service's sentence for the line under the table as HTML; empty for none."""
    return _note(sentence(words.replace("\n", "\\n")), is_trouble) if words else ""


def _note(words: str, is_trouble: bool = False) -> str:
    role, kind = ("alert", "error") if is_trouble else ("status", "notice")
    return f'<p class="{kind}" role="{role}">{words}</p>'


def making_title(names: Iterable[str]) -> str:
    """Return the heading of the panel in which quantisations are made, as HTML."""
    return f"<h3>{said('library.making_title', names=', '.join(names))}</h3>"


def plan(ladder: Ladder) -> str:
    """Return what a ladder will be as HTML: sizes, bits per weight, and warnings."""
    rungs = "".join(
        f"<li><b>{_escaped(rung.quantisation)}</b> {size(rung.expected_bytes)}"
        f"{_bits(rung.bits_per_weight)}</li>"
        for rung in ladder.rungs
    )
    warnings = "".join(f"<p>{_escaped(warning)}</p>" for warning in ladder.warnings)
    together = said("library.together", size=size(ladder.needed_bytes))
    return f"<ul>{rungs}</ul><p>{together}</p>{warnings}"


def making(status: LadderStatus, seconds_left: float | None = None) -> str:
    """Return how far the making of a ladder is as HTML.

    Args:
        status: of the work.
        seconds_left: until all is made, where that can be told.
    """
    if status.is_over:
        return _end_of(status)
    if status.progress is None:
        return _note(said("library.starting"))
    news = status.progress.latest
    words = said(f"library.step_{news.step}", name=news.rung.quantisation if news.rung else "")
    if news.total and news.step != "made":
        done, total = size(int(news.done)), size(int(news.total))
        words += said("library.amount", done=done, total=total)
    if seconds_left is not None:
        words += said("library.left", time=long_time(seconds_left))
    label = said_label("library.making_progress")
    return f'{_note(words)}<progress {label} max="1" value="{news.share:.3f}"></progress>'


def removal(plans: Sequence[Removal]) -> str:
    """Return the question before models are deleted as HTML, with everything that would go."""
    freed = size(sum(plan.bytes_freed for plan in plans), "0 bytes")
    names = ", ".join(plan.model.name for plan in plans)
    paths = [path for plan in plans for path in plan.paths]
    asked = f"library.remove_{'one' if len(paths) == 1 else 'many'}"
    shown = "".join(f"<li>{_escaped(str(path))}</li>" for path in paths[:MOST_APART])
    notes = "".join(f"<p>{text}</p>" for plan in plans for text in _notes(plan))
    return (
        f"<p>{said('library.remove_before')} <b>{_escaped(names)}</b>"
        f"{said(asked, count=len(paths), size=freed)}</p>{notes}"
        f"<details><summary>{said('library.what_is_deleted')}</summary><ul>{shown}</ul></details>"
    )


def removed(plans: Sequence[Removal]) -> str:
    """Return what was removed, with the bytes it freed, as HTML."""
    names = ", ".join(plan.model.name for plan in plans)
    freed = size(sum(plan.bytes_freed for plan in plans), "0 bytes")
    return _note(said("library.removed", names=names, size=freed))


def _notes(plan: Removal) -> list[str]:
    kept = [said("library.stays", path=path) for path in plan.kept]
    return [*map(_escaped, plan.notes), *kept]


def _end_of(status: LadderStatus) -> str:
    made = ", ".join(status.progress.made) if status.progress else ""
    done = said("library.made", made=made) if made else said("library.nothing_made")
    if status.trouble:
        return _note(f"{_escaped(status.trouble)} {done if made else ''}".strip(), True)
    if not status.was_stopped:
        return _note(done)
    key = "library.cancelled_made" if made else "library.cancelled_nothing"
    return _note(said(key, made=made))


def _bits(value: float) -> str:
    return said("library.rung_bits", bits=f"{value:.2f}") if value else ""


def _row(row: LibraryRow, keys: Sequence[str]) -> View:
    cells = _cells(row)
    return {"id": row.id, "why": row.fit_sentence, "cells": [cells[key] for key in keys]}


def _cells(row: LibraryRow) -> dict[str, Any]:
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
