"""A suite as ``comparator suite show --json`` and the page's endpoint tell it."""

from __future__ import annotations

from typing import Any

import msgspec

from comparator.storage.kept_suite import KeptSuite


def shown(kept: KeptSuite) -> dict[str, Any]:
    """Return a suite as JSON: its slots, its cells, and what follows from them.

    ``id``, ``name``, ``state``, ``prompts`` and ``repeats`` (numbers), ``slots``, ``cells``,
    ``summary`` (a line for each slot) and ``pairs`` of slots; beside these ``created``, ``batch``,
    ``items`` (the prompts), ``notes`` on how their file was read, ``judge``, ``verdicts`` and
    ``machine``.
    """
    from comparator.evaluation.statistics import pairs_of, summary_of

    return {
        "id": kept.id,
        "name": kept.name,
        "state": kept.state,
        "created": kept.created,
        "prompts": len(kept.suite.items),
        "repeats": kept.repeats,
        "batch": kept.batch,
        "slots": [msgspec.to_builtins(slot) for slot in kept.slots],
        "cells": [msgspec.to_builtins(cell) for cell in kept.cells],
        "summary": summary_of(kept),
        "pairs": pairs_of(kept),
        "items": [msgspec.to_builtins(item) for item in kept.suite.items],
        "notes": list(kept.suite.notes),
        "judge": kept.judge,
        "verdicts": [msgspec.to_builtins(verdict) for verdict in kept.verdicts],
        "machine": kept.machine,
    }
