"""Kept suites for tests: what a run of a suite leaves, without a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from kept_comparisons import result, thought

from comparator.storage.kept_suite import (
    Assertion,
    AssertionOutcome,
    Cell,
    Item,
    JudgeVerdict,
    KeptSuite,
    Suite,
    SuiteSlot,
)

CREATED = 1_795_000_000.0
MACHINE = {
    "system": "Linux",
    "architecture": "x86_64",
    "processor": "AMD EPYC 7763",
    "cores": 2,
    "features": ["avx2", "fma"],
}
HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) \"'\n"
    "# Heading\n```\nout\n````\n| a | b |\n\x1b[31m\x00\u202egnp.exe \u0627\u0644 \u200b{{7*7}}"
)
# None for a cell that could not be answered; "" for one that is pending; else what passed of it.
Fate = bool | None | str


def item(
    number: int, question: str = "", assertions: Sequence[Assertion] | None = None, **changes: Any
) -> Item:
    """Return the prompt of a number (from 0); it asserts one thing unless told otherwise."""
    asked = [{"role": "user", "content": question or f"Question {number}?"}]
    told = [Assertion("icontains", "yes")] if assertions is None else list(assertions)
    values: dict[str, Any] = {"expected": "Yes.", "tags": [], "messages": asked, **changes}
    return Item(id=f"q{number}", assertions=told, **values)


def suite_slot(
    number: int, name: str = "", batch: str | int = 1, config: Any = None, **summary: Any
) -> SuiteSlot:
    """Return the slot of a number (from 0); ``summary`` are facts of its runs."""
    one = result(name=name or f"model-{number}", model_id=f"m{number}").to_record()
    facts = {
        "load_seconds": 0.5 + number,
        "peak_bytes": 200_000_000 * (number + 1),
        "aggregate_tokens_per_second": 60.0 / (number + 1),
        **summary,
    }
    told = f"{number}{name}{batch}".encode("utf-8", "replace")
    return SuiteSlot(
        model={**one["model"], "path": f"/home/somebody/models/{one['model']['name']}.gguf",
               "size": 90_000_000 * (number + 1)},
        config={**one["config"], **(config or {})},
        configuration=hashlib.sha256(told).hexdigest(),
        label=name or f"model-{number}",
        summary=facts,
    )  # fmt: skip


def record(slot: SuiteSlot, question: str, content: str, batch: int = 1, **changes: Any) -> Any:
    """Return the record of an answer; of one in a batch, the speeds of one answer are null."""
    told = result(content, str(slot.model["name"]), question, **changes).to_record()
    told["model"], told["config"] = slot.model, slot.config
    if batch > 1:
        for name in ("tokens_per_second", "time_to_first_token", "characters_per_second"):
            told["stats"][name] = None
    return told


def cell(
    slots: Sequence[SuiteSlot], items: Sequence[Item], place: tuple[int, int, int], fate: Fate,
    batch: int = 1, content: str = "",
) -> Cell:  # fmt: skip
    """Return the cell of a place (slot, prompt, repeat): all its assertions share its fate."""
    slot, prompt, repeat = place
    if fate == "":
        return Cell(slot, prompt, repeat)
    question = items[prompt].question
    if fate is None:
        told = record(slots[slot], question, "", error="It broke.", error_kind="crashed")
        return Cell(slot, prompt, repeat, "failed", batch, told)
    said = content or ("Yes, it is." if fate else f"No: {slot}.{prompt}.{repeat}.")
    reason = "It contains “yes”." if fate else "It does not contain “yes”."
    outcomes = [AssertionOutcome(one.type, bool(fate), reason) for one in items[prompt].assertions]
    answer = record(slots[slot], question, said, batch)
    return Cell(slot, prompt, repeat, "done", batch, answer, outcomes)


def kept_suite(
    fates: Sequence[Sequence[Fate | Sequence[Fate]]] = ((True, False, None), (True, True, "")),
    *,
    items: Sequence[Item] | None = None,
    slots: Sequence[SuiteSlot] | None = None,
    batch: int = 1,
    **changes: Any,
) -> KeptSuite:
    """Return a kept suite.

    Args:
        fates: of each slot, of each prompt: whether it passed, None where it could not be
            answered, ``""`` where it is pending; or a list of these, one a repeat.
        items: the prompts; as many as there are fates, by default.
        slots: the columns; the same.
        batch: answers decoded at once.
        changes: fields of the suite.
    """
    asked = list(items) if items is not None else [item(n) for n in range(len(fates[0]))]
    columns = list(slots) if slots is not None else [
        suite_slot(n, batch=batch) for n in range(len(fates))
    ]  # fmt: skip
    cells = [
        cell(columns, asked, (slot, prompt, repeat), fate, batch)
        for slot, row in enumerate(fates)
        for prompt, told in enumerate(row)
        for repeat, fate in enumerate(told if isinstance(told, (list, tuple)) else [told])
    ]
    is_whole = all(one.state != "pending" for one in cells)
    values: dict[str, Any] = {
        "id": "abcdef0123456789",
        "name": "small",
        "created": CREATED,
        "state": "done" if is_whole else "interrupted",
        "suite": Suite("small", asked, ["Column “extra” was not read."]),
        "slots": columns,
        "repeats": 1 + max(one.repeat for one in cells),
        "batch": batch,
        "machine": MACHINE,
        "cells": cells,
    }
    return KeptSuite(**{**values, **changes})


def judged(kept: KeptSuite, consistency: float = 0.8, name: str = "judge") -> KeptSuite:
    """Return a suite as a judge leaves it: of each prompt a verdict on the first two slots."""
    said = ("a", "b", "tie", None)
    verdicts = [
        JudgeVerdict(
            prompt, 0, 0, 1, said[prompt % 4], said[prompt % 4] or "a", said[prompt % 4] or "b"
        )
        for prompt in range(len(kept.suite.items))
    ]
    judge = {
        "model": suite_slot(9, name).model,
        "config": suite_slot(9, name).config,
        "label": name,
        "consistency": consistency,
        "interval": [consistency - 0.2, consistency + 0.1],
        "asked": len(verdicts),
        "agreed": sum(one.winner is not None for one in verdicts),
        "is_refused": consistency < 0.65,
        "same_family": [0],
        "sentences": [f"The judge said the same in both orders in {consistency:.0%}."],
    }
    return msgspec.structs.replace(kept, judge=judge, verdicts=verdicts)


def hostile_suite() -> KeptSuite:
    """Return a suite in which everything that a stranger may have written is hostile."""
    name = '=HYPERLINK("http://x.invalid")\u202e<b>|`\n# x'
    slots = [suite_slot(0, name), suite_slot(1, f"{name}2")]
    asked = item(0, HOSTILE, [Assertion("contains", HOSTILE), Assertion("regex", "<i>")],
                 expected=HOSTILE, tags=["<u>", "=1"])  # fmt: skip
    asked = msgspec.structs.replace(asked, id="<s>=1")
    answer = record(slots[0], HOSTILE, HOSTILE, thinking=thought(HOSTILE), notice=HOSTILE)
    other = record(slots[1], HOSTILE, f"{HOSTILE} And more.")
    failed = record(slots[1], HOSTILE, "", error=HOSTILE, error_kind="crashed")
    outcomes = [
        AssertionOutcome("contains", False, HOSTILE),
        AssertionOutcome("<i>", None, HOSTILE, 0.5),
    ]
    cells = [
        Cell(0, 0, 0, "done", 1, answer, outcomes),
        Cell(0, 0, 1, "done", 1, answer, outcomes),
        Cell(1, 0, 0, "done", 1, other, outcomes),
        Cell(1, 0, 1, "failed", 1, failed),
    ]
    kept = kept_suite(((True,), (True,)), items=[asked], slots=slots, name=HOSTILE, repeats=2)
    kept = msgspec.structs.replace(
        kept,
        id="../../<b>=1",
        cells=cells,
        suite=Suite(HOSTILE, [asked], [HOSTILE]),
        machine={"processor": HOSTILE, HOSTILE: [HOSTILE]},
    )
    return judged(kept, name=HOSTILE)
