"""Kept suites for tests: cells as a run writes them, without a run."""

from __future__ import annotations

from typing import Any

from kept_comparisons import result

from comparator.storage.kept_suite import Cell, Item, KeptSuite, Suite, SuiteSlot


def item(name: str, question: str = "Why?", **more: Any) -> Item:
    """Return a prompt of one question."""
    return Item(name, [{"role": "user", "content": question}], **more)


def cell(slot: int, prompt: int, repeat: int = 0, content: str = "Because.", **more: Any) -> Cell:
    """Return a cell that was answered."""
    values: dict[str, Any] = {"state": "done", "batch": 1, "record": result(content).to_record()}
    return Cell(slot, prompt, repeat, **{**values, **more})


def kept_suite(*cells: Cell, name: str = "0123456789ab", **more: Any) -> KeptSuite:
    """Return a suite of two prompts and two slots, with these cells and the others pending."""
    values: dict[str, Any] = {
        "id": name,
        "name": "basic",
        "created": 1_795_000_000.0,
        "suite": Suite("basic", [item("one"), item("two")]),
        "slots": [
            SuiteSlot(result(name=label).model.to_record(), {"seed": 7}, f"{label}-digest", label)
            for label in ("first", "second")
        ],
    }
    values.update(more)
    there = {one.key: one for one in cells}
    slots, prompts = range(len(values["slots"])), range(len(values["suite"].items))
    every = [(s, p, r) for s in slots for p in prompts for r in range(values.get("repeats", 1))]
    return KeptSuite(**values, cells=[there.get(key, Cell(*key)) for key in every])
