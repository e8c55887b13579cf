"""A suite and what came of it, as they are kept: plain values that all of evaluation reads."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Record = dict[str, Any]
CellState = Literal["pending", "done", "failed"]
SuiteState = Literal["running", "done", "interrupted"]
CellKey = tuple[int, int, int]  # slot, prompt, repeat


class Assertion(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that an answer must be, under promptfoo's name for it.

    Attributes:
        type: such as ``contains``; ``not-contains`` for its contrary.
        value: what it compares with; a text, a list, or a JSON schema.
        threshold: the least similarity or score that passes, 0 to 1; None for the type's own.
    """

    type: str
    value: Any = None
    threshold: float | None = None


class Item(msgspec.Struct, frozen=True):
    """One prompt of a suite.

    Attributes:
        id: names it; unique in its suite.
        messages: what is asked, the last from the user (``{"role": …, "content": …}``).
        expected: the answer that is right, for assertions, judges and people; None for none.
        assertions: what its answers must be; none where only people judge.
        tags: words by which it may be grouped.
        vars: what its template was filled with, for expressions; empty where there was none.
    """

    id: str
    messages: list[dict[str, str]]
    expected: str | None = None
    assertions: list[Assertion] = []
    tags: list[str] = []
    vars: Record = {}

    @property
    def question(self) -> str:
        """What the user says last."""
        asked = [one["content"] for one in self.messages if one["role"] == "user"]
        return asked[-1] if asked else ""


class Suite(msgspec.Struct, frozen=True):
    """Prompts to be asked of several models; ``notes`` say in sentences what was read how."""

    name: str
    items: list[Item]
    notes: list[str] = []


class AssertionOutcome(msgspec.Struct, frozen=True):
    """What became of one assertion.

    Attributes:
        type: as ``Assertion.type``.
        passed: whether the answer is so; None where that could not be told (a judge that was not
            steady), which counts neither way.
        reason: why, in a sentence.
        score: 0 to 1 where the type measures one.
    """

    type: str
    passed: bool | None
    reason: str
    score: float | None = None


class Cell(msgspec.Struct, frozen=True):
    """One answer: of one slot to one prompt, at one repeat (each counted from 0).

    Attributes:
        state: ``failed`` where it could not be answered (its record's ``error`` says why).
        batch: how many answers were decoded at once beside it, itself included; 0 while pending.
        record: as a comparison's record; in one of a batch, the speeds of one answer are null.
        assertions: what became of the prompt's assertions; empty while pending or failed.
    """

    slot: int
    prompt: int
    repeat: int
    state: CellState = "pending"
    batch: int = 0
    record: Record | None = None
    assertions: list[AssertionOutcome] = []

    @property
    def key(self) -> CellKey:
        """Its place."""
        return self.slot, self.prompt, self.repeat

    @property
    def passed(self) -> bool | None:
        """Whether every assertion that could be told passed; None where there is none such."""
        told = [one.passed for one in self.assertions if one.passed is not None]
        return all(told) if told and self.state == "done" else None


class JudgeVerdict(msgspec.Struct, frozen=True):
    """What a judge says of two slots' answers to one prompt, asked in both orders.

    Attributes:
        a: the slot of one answer.
        b: the slot of the other.
        winner: ``a``, ``b`` or ``tie``; None where the two orders disagree, which counts nothing.
        first: what was said with a's answer first, as ``winner``.
        swapped: what was said with b's answer first, as ``winner``.
        reason: why nobody is the winner, in a sentence; empty where somebody is.
    """

    prompt: int
    repeat: int
    a: int
    b: int
    winner: str | None
    first: str = ""
    swapped: str = ""
    reason: str = ""


class SuiteSlot(msgspec.Struct, frozen=True):
    """A model with its settings, as a column of a suite.

    Attributes:
        model: as a record's ``model``.
        config: every setting, as a record's ``config``, the seed of the first repeat included.
        configuration: names model (by content), settings (but the seed) and batch
            (``evaluation.configuration``).
        label: for people, short; unique among the slots of its suite.
        summary: facts of its runs that no cell has: ``load_seconds``, ``peak_bytes``,
            ``aggregate_tokens_per_second`` (tokens of all answers by the time of decoding them).
        sources: where each setting comes from, as a record's ``config_sources``.
        notice: what a reader should know of its settings.
    """

    model: Record
    config: Record
    configuration: str
    label: str = ""
    summary: Record = {}
    sources: dict[str, str] = {}
    notice: str = ""


class KeptSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a suite, whole.

    Attributes:
        id: names it; hexadecimal digits.
        name: of the run, for people.
        created: when it was begun, seconds since the epoch.
        owner: the browser session that it belongs to on a public page; empty for one's own.
        state: whether it goes on, is complete, or was interrupted.
        suite: what was asked.
        slots: of whom.
        repeats: how often each prompt was asked of each slot.
        batch: answers decoded at once: ``auto`` or a number, as it was asked for.
        judge: the judge's model and settings, and what was measured of it (``consistency``, 0 to
            1, of how many verdicts; ``is_refused``); None for none.
        verdicts: of the judge, of pairs of slots.
        machine: what it ran on, in words (as ``comparator doctor --json`` names it).
        cells: in the order of slot, prompt and repeat; those that are pending included.
    """

    id: str
    name: str
    created: float
    owner: str = ""
    state: SuiteState = "running"
    suite: Suite
    slots: list[SuiteSlot]
    repeats: int = 1
    batch: str | int = "auto"
    judge: Record | None = None
    verdicts: list[JudgeVerdict] = []
    machine: Record = {}
    cells: list[Cell] = []
