"""The summary of a suite: a line for each slot, as ``suite show --json`` has it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from comparator.evaluation.disturbed_cells import is_disturbed
from comparator.evaluation.statistics import rates
from comparator.evaluation.statistics.outcomes import PassShare, Shares, shares_of
from comparator.storage.kept_suite import Cell, KeptSuite

Line = dict[str, Any]


def summary_of(kept: KeptSuite) -> list[Line]:
    """Return what came of each slot, ready for JSON.

    Each has ``slot``; ``answered``, ``failed`` and ``pending`` (cells); ``passed`` of ``told``
    (cells that could be told, the failed ones included, which count as not passed);
    ``pass_rate`` with its 95 % ``interval`` (null where nothing could be told);
    ``tokens_per_second`` (the median of answers that were written alone and undisturbed, null
    where there is none, as in batches) with ``tokens_per_second_range`` (the slowest and the
    fastest); ``disturbed`` (answers that are left out of both, since others took a part of the
    processor while they were written); ``aggregate_tokens_per_second``;
    ``peak_bytes``; ``load_seconds``; and ``tags``, by tag: ``passed``, ``told``, ``pass_rate``
    and ``interval``.
    """
    shares = shares_of(kept)
    cells: list[list[Cell]] = [[] for _slot in kept.slots]
    for cell in kept.cells:
        cells[cell.slot].append(cell)
    return [
        {
            "slot": slot,
            **_counts(cells[slot]),
            **_rate(list(shares[slot].values())),
            **_speed(cells[slot], kept.slots[slot].summary),
            "tags": _by_tag(kept, shares[slot]),
        }
        for slot in range(len(kept.slots))
    ]


def _counts(cells: Sequence[Cell]) -> Line:
    states = [cell.state for cell in cells]
    return {
        "answered": states.count("done"),
        "failed": states.count("failed"),
        "pending": states.count("pending"),
    }


def _rate(shares: Sequence[PassShare]) -> Line:
    found = rates.interval(shares)
    return {
        "passed": sum(share.passed for share in shares),
        "told": sum(share.told for share in shares),
        "pass_rate": rates.pass_rate(shares),
        "interval": list(found) if found else None,
    }


def _by_tag(kept: KeptSuite, shares: Shares) -> dict[str, Line]:
    tagged: dict[str, list[PassShare]] = {tag: [] for item in kept.suite.items for tag in item.tags}
    for prompt, share in shares.items():
        for tag in dict.fromkeys(kept.suite.items[prompt].tags):
            tagged[tag].append(share)
    return {tag: _rate(tagged[tag]) for tag in sorted(tagged)}


def _speed(cells: Sequence[Cell], summary: dict[str, Any]) -> Line:
    disturbed = [cell for cell in cells if is_disturbed(cell)]
    alone = [
        speed
        for cell in cells
        if cell.batch == 1 and not is_disturbed(cell) and (speed := _stat(cell, _SPEED))
    ]
    peaks = [peak for cell in cells if (peak := _stat(cell, "memory_usage"))]
    peak = summary.get("peak_bytes") or max(peaks, default=None)
    return {
        _SPEED: statistics.median(alone) if alone else None,
        "tokens_per_second_range": [min(alone), max(alone)] if alone else None,
        "disturbed": len(disturbed),
        "aggregate_tokens_per_second": summary.get("aggregate_tokens_per_second"),
        "peak_bytes": int(peak) if peak else None,
        "load_seconds": summary.get("load_seconds"),
    }


_SPEED = "tokens_per_second"


def _stat(cell: Cell, name: str) -> float | None:
    """Return a figure of an answer; None where there is none."""
    stats = (cell.record or {}).get("stats") or {}
    value = stats.get(name)
    return float(value) if value else None
