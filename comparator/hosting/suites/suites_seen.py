"""Suites as visitors may see them: without where on this machine anything lies."""

from __future__ import annotations

from pathlib import Path

import msgspec

from comparator.hosting.records import without_paths
from comparator.storage.kept_suite import KeptSuite


def as_seen(kept: KeptSuite, models_dir: Path) -> KeptSuite:
    """Return a suite without its owner and without places of this machine."""
    cells = [
        msgspec.structs.replace(cell, record=without_paths([cell.record], models_dir)[0])
        if cell.record
        else cell
        for cell in kept.cells
    ]
    models = without_paths([{"model": slot.model} for slot in kept.slots], models_dir)
    slots = [
        msgspec.structs.replace(slot, model=told["model"])
        for slot, told in zip(kept.slots, models, strict=True)
    ]
    judge = kept.judge
    if judge and isinstance(judge.get("model"), dict):
        judge = {**judge, **without_paths([{"model": judge["model"]}], models_dir)[0]}
    return msgspec.structs.replace(kept, owner="", cells=cells, slots=slots, judge=judge)
