"""Kept suites for tests: cells as a run writes them, without a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comparator.storage.kept_suite import (
    Assertion,
    AssertionOutcome,
    Cell,
    Item,
    KeptSuite,
    Suite,
    SuiteSlot,
)

# What became of a prompt's repeats, a letter each: passed, not passed, failed (could not be
# answered), waiting (pending), unclear (answered, and nothing tells whether it is right).
Row = str
_STATES = {"p": "done", "n": "done", "u": "done", "f": "failed", "w": "pending"}


def item(name: str, kind: str = "contains", tags: Sequence[str] = ()) -> Item:
    """Return a prompt with an assertion of that type; none for an empty one."""
    asked = [{"role": "user", "content": f"What is {name}?"}]
    assertions = [Assertion(kind, "x")] if kind else []
    return Item(name, asked, assertions=assertions, tags=list(tags))


def slot(label: str, configuration: str = "", **changes: Any) -> SuiteSlot:
    """Return a slot; ``changes`` are of its model and, as ``summary``, of its figures."""
    summary = changes.pop("summary", {})
    model = {"name": label, "model_type": "gguf", "path": "", "size": 1_000, **changes}
    return SuiteSlot(model, {}, configuration or label, label, summary)


def suite_of(
    *rows: Sequence[Row],
    items: Sequence[Item] | None = None,
    slots: Sequence[SuiteSlot] | None = None,
    batch: int = 1,
    speeds: Sequence[float] = (),
) -> KeptSuite:
    """Return a kept suite: of each slot a row of prompts, each with its repeats as letters.

    Args:
        rows: one for each slot.
        items: the prompts; those that every slot has an assertion for otherwise.
        slots: as many as rows.
        batch: of every cell.
        speeds: tokens per second of each slot's answers, all alike; 10 otherwise.
    """
    cells = [
        _cell(place, prompt, repeat, letter, batch, speeds[place] if speeds else 10.0)
        for place, row in enumerate(rows)
        for prompt, letters in enumerate(row)
        for repeat, letter in enumerate(letters)
    ]
    prompts = list(items or [item(str(number)) for number in range(len(rows[0]))])
    return KeptSuite(
        id="5f17e",
        name="made",
        created=1_795_000_000.0,
        suite=Suite("made", prompts),
        slots=list(slots or [slot(f"m{number}") for number in range(len(rows))]),
        repeats=max(len(letters) for letters in rows[0]),
        cells=cells,
    )


def _cell(slot: int, prompt: int, repeat: int, letter: str, batch: int, speed: float) -> Cell:
    if letter == "w":
        return Cell(slot, prompt, repeat)
    told = {
        "p": [AssertionOutcome("contains", True, "")],
        "n": [AssertionOutcome("contains", False, "No x.")],
    }
    alone = speed if batch == 1 else None
    record = {"content": "x", "stats": {"tokens_per_second": alone, "memory_usage": 500}}
    state: Any = _STATES[letter]
    return Cell(slot, prompt, repeat, state, batch, record, told.get(letter, []))
