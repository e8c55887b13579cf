"""What passed and what did not, by slot and prompt: the table that all statistics are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from comparator.storage.kept_suite import Cell, Item, KeptSuite

JUDGED = "llm-rubric"  # what only a judge can tell
_NOT = "not-"


@dataclass(frozen=True)
class PassShare:
    """How many of a prompt's answers (its repeats) passed, of those that could be told."""

    passed: int
    told: int

    @property
    def rate(self) -> float:
        """From 0 to 1."""
        return self.passed / self.told

    @property
    def passes(self) -> bool:
        """Whether more than half of the repeats passed."""
        return 2 * self.passed > self.told


Shares = dict[int, PassShare]  # by prompt; a prompt of which nothing can be told is not in it


def shares_of(kept: KeptSuite) -> list[Shares]:
    """Return what passed, a table for each slot.

    A cell that failed counts as not passed: a model that crashes must not look better than one
    that answers wrongly. Where nobody's answer to its prompt could be told (there is no
    assertion, or they all wait for a judge) it counts nowhere, like every other cell there.
    Cells that are pending count nowhere.
    """
    tellable = _tellable(kept)
    passed: list[dict[int, list[bool]]] = [defaultdict(list) for _slot in kept.slots]
    for cell in kept.cells:
        told = _told(cell, cell.prompt in tellable)
        if told is not None:
            passed[cell.slot][cell.prompt].append(told)
    return [
        {prompt: PassShare(sum(told), len(told)) for prompt, told in sorted(of_slot.items())}
        for of_slot in passed
    ]


def _told(cell: Cell, is_tellable: bool) -> bool | None:
    if cell.state == "failed":
        return False if is_tellable else None
    return cell.passed


def _tellable(kept: KeptSuite) -> set[int]:
    """Return the prompts whose answers can be told right or wrong."""
    by_text = {n for n, item in enumerate(kept.suite.items) if _is_checked(item)}
    return by_text | {cell.prompt for cell in _told_cells(kept.cells)}


def _told_cells(cells: Iterable[Cell]) -> Iterable[Cell]:
    return (cell for cell in cells if cell.passed is not None)


def _is_checked(item: Item) -> bool:
    return any(one.type.removeprefix(_NOT) != JUDGED for one in item.assertions)
