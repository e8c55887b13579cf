"""What became of a prompt's answers, in a mark, a few words and a kind: never by colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from comparator.evaluation.report.contents import Contents
from comparator.storage.kept_suite import Cell

MARKS = {
    "pass": "✓",
    "part": "◐",
    "fail": "✗",
    "error": "!",
    "wait": "…",
    "plain": "·",
}


class Fate(NamedTuple):
    """What became of the answers of one slot to one prompt.

    Attributes:
        kind: ``pass``, ``part`` (of several repeats), ``fail``, ``error`` (not answered),
            ``wait``, or ``plain`` (answered; nothing tells right from wrong).
        words: the same for people.
    """

    kind: str
    words: str

    @property
    def mark(self) -> str:
        """A sign for it."""
        return MARKS[self.kind]

    def __str__(self) -> str:
        return f"{self.mark} {self.words}"


def fate_of_cell(cell: Cell) -> Fate:
    """Return what became of one answer."""
    if cell.state == "pending":
        return Fate("wait", "not yet")
    if cell.state == "failed":
        return Fate("error", "no answer")
    if cell.passed is None:
        return Fate("plain", "answered")
    told = [one.passed for one in cell.assertions if one.passed is not None]
    if cell.passed:
        return Fate("pass", "passed")
    return Fate("fail", f"failed {told.count(False)} of {len(told)}" if told[1:] else "failed")


def fate_of(cells: Sequence[Cell]) -> Fate:
    """Return what became of all repeats together."""
    fates = [fate_of_cell(cell) for cell in cells]
    if not fates:
        return Fate("wait", "not yet")
    if len(fates) == 1:
        return fates[0]
    kinds = [fate.kind for fate in fates]
    if len(set(kinds)) == 1 and kinds[0] not in ("pass", "fail"):
        return Fate(kinds[0], fates[0].words)
    passed, told = kinds.count("pass"), kinds.count("pass") + kinds.count("fail")
    words = [f"passed {passed} of {told}"] if told else []
    words += [
        f"{kinds.count(kind)} {said}"
        for kind, said in (("plain", "answered"), ("error", "no answer"), ("wait", "not yet"))
        if kind in kinds
    ]
    return Fate(_kind(passed, told, kinds), ", ".join(words))


def _kind(passed: int, told: int, kinds: Sequence[str]) -> str:
    if not told:
        return "error" if "error" in kinds else "plain" if "plain" in kinds else "wait"
    return "pass" if passed == told and "error" not in kinds else "part" if passed else "fail"


def fates_of(contents: Contents, prompt: int) -> list[Fate]:
    """Return what became of a prompt, by slot."""
    return [fate_of(contents.cells.get((slot, prompt), ())) for slot in contents.slots]


def differ(fates: Iterable[Fate]) -> bool:
    """Whether slots fared differently; what is not answered yet is no difference."""
    told = {(one.kind, one.words if one.kind == "part" else "") for one in fates}
    return len({one for one in told if one[0] != "wait"}) > 1
