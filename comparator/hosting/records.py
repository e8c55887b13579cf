"""Models and results as visitors may see them: objects ready for JSON, without places."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from comparator.comparison.comparison import Comparison
from comparator.core import text
from comparator.library.facts.lookup import facts_of
from comparator.library.shelf import Shelf
from comparator.storage.history import Entry
from comparator.storage.kept_comparison import KeptComparison

Record = dict[str, Any]
_TOLD = ("error", "notice")  # sentences that may name files


def of_models(shelf: Shelf, models_dir: Path) -> list[Record]:
    """Return every model, those that can be asked first."""
    shelf = shelf.by_facts()
    return [
        {
            **_without_path(model.to_record(), models_dir),
            "quantisation": facts_of(model).quantisation,
            "problem": model.problem,
        }
        for model in [*shelf.offered, *shelf.unusable]
    ]


def of_comparison(comparison: Comparison, models_dir: Path, position: int = 0) -> list[Record]:
    """Return every column's record, with its place in line and the comparison's id."""
    records = [result.to_record() for result in comparison.results()]
    known = {"position": position, "comparison": comparison.name}
    return [{**record, **known} for record in without_paths(records, models_dir)]


def of_kept(kept: KeptComparison, models_dir: Path) -> Record:
    """Return a kept comparison, without its owner."""
    whole = msgspec.to_builtins(kept)
    del whole["owner"]
    return {**whole, "records": without_paths(kept.records, models_dir)}


def of_entry(entry: Entry) -> Record:
    """Return a kept comparison as a list has it."""
    return {
        "id": entry.id,
        "created": entry.created,
        "question": entry.question,
        "models": list(entry.models),
        "states": list(entry.states),
        "is_pinned": entry.is_pinned,
        "parent": entry.parent,
    }


def without_paths(records: Sequence[Record], models_dir: Path) -> list[Record]:
    """Return records without where on this machine anything lies."""
    return [_without_places(record, models_dir) for record in records]


def _without_places(record: Record, models_dir: Path) -> Record:
    folders = os.path.abspath(models_dir), os.path.dirname(record["model"].get("path") or "")
    told = {
        name: text.without_folders(record[name], *folders) for name in _TOLD if record.get(name)
    }
    if record.get("log_tail"):
        told["log_tail"] = text.without_paths(record["log_tail"], *folders)
    return {**record, **told, "model": _without_path(record["model"], models_dir)}


def _without_path(model: Record, models_dir: Path) -> Record:
    """Replace a model's path by null, and add it as seen from the models folder.

    Visitors need not know where the folder is; and ``gradio_client`` takes any object
    whose ``path`` is text for a file that it has to download.
    """
    path = model.get("path") or ""
    folder = os.path.abspath(models_dir)
    inside = path.startswith(folder + os.sep)
    file = os.path.relpath(path, folder) if inside else os.path.basename(path)
    return {**model, "path": None, "file": file}
