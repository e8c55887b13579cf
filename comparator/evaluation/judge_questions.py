"""Which questions a suite has for its judge, and what becomes of what is said to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.evaluation import judge_prompts
from comparator.storage.kept_suite import AssertionOutcome, Cell, Item, JudgeVerdict, KeptSuite

RUBRIC_TYPES = ("llm-rubric", "not-llm-rubric")
TIE, YES, NO, UNSURE = "tie", "yes", "no", "unsure"
_DISAGREED = (
    "The judge said {first} in one order and {swapped} in the other, which counts neither way."
)
_IN_WORDS = {
    YES: "that it is met",
    NO: "that it is not met",
    UNSURE: "that it cannot be told",
    TIE: "a tie",
    "a": "one answer",
    "b": "the other answer",
}


class Said(NamedTuple):
    """What came of one conversation: the letter, or why there is none; nothing while pending."""

    letter: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class JudgeQuestion:
    """One thing to be judged, asked in both orders.

    Attributes:
        first: the text in one order.
        swapped: the text in the other.
        meanings: what A, B and C say in the first order.
    """

    first: str
    swapped: str
    meanings: tuple[str, str, str]

    def meaning(self, letter: str, is_swapped: bool = False) -> str:
        """Return what a letter says."""
        one, other, neither = self.meanings
        order = (other, one, neither) if is_swapped else (one, other, neither)
        return dict(zip(judge_prompts.LETTERS, order, strict=True))[letter]


@dataclass(frozen=True)
class Judgement:
    """What was said of a question.

    Attributes:
        first: what was said in the first order; empty for nothing.
        swapped: the same in the other.
        trouble: why one of them is missing, a sentence.
        is_pending: whether it was not asked yet in both orders.
    """

    first: str = ""
    swapped: str = ""
    trouble: str = ""
    is_pending: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether something was said in both orders."""
        return bool(self.first and self.swapped)

    @property
    def agreed(self) -> str:
        """What was said in both orders; empty where they differ, or one is missing."""
        return self.first if self.first == self.swapped else ""

    @property
    def reason(self) -> str:
        """Why it counts neither way, in a sentence."""
        if self.trouble or not self.is_whole:
            return self.trouble
        first, swapped = _IN_WORDS[self.first], _IN_WORDS[self.swapped]
        return _DISAGREED.format(first=first, swapped=swapped)


Judgements = Mapping[JudgeQuestion, Judgement]


def questions_of(kept: KeptSuite) -> list[JudgeQuestion]:
    """Return all that a suite's judge is to be asked, each question once, prompt by prompt."""
    found: dict[JudgeQuestion, None] = {}
    for cells in answered(kept):
        for cell in cells:
            found |= dict.fromkeys(question for _place, question in rubrics_of(kept, cell))
        pairs = (pair_of(kept, one, other) for one, other in pairs_of_cells(cells))
        found |= dict.fromkeys(question for question in pairs if question is not None)
    return list(found)


def answered(kept: KeptSuite) -> list[list[Cell]]:
    """Return the cells that have an answer, those of one prompt together."""
    found: dict[int, list[Cell]] = {}
    for cell in kept.cells:
        if answer_of(cell) is not None:
            found.setdefault(cell.prompt, []).append(cell)
    return [found[prompt] for prompt in sorted(found)]


def answer_of(cell: Cell) -> str | None:
    """Return what was answered, without thoughts; None where nothing was."""
    if cell.state != "done" or cell.record is None:
        return None
    return str(cell.record.get("content") or "")


def pairs_of_cells(cells: list[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """Yield the answers of each two slots to the same repeat of one prompt."""
    for one, other in combinations(cells, 2):
        if one.repeat == other.repeat and one.slot != other.slot:
            yield (one, other) if one.slot < other.slot else (other, one)


def pair_of(kept: KeptSuite, one: Cell, other: Cell) -> JudgeQuestion | None:
    """Return the question which answer is better; None where both are the same."""
    first, second = answer_of(one) or "", answer_of(other) or ""
    if first.strip() == second.strip():
        return None
    item = kept.suite.items[one.prompt]
    return JudgeQuestion(
        judge_prompts.pair(item, first, second),
        judge_prompts.pair(item, second, first),
        ("a", "b", TIE),
    )


def rubrics_of(kept: KeptSuite, cell: Cell) -> Iterator[tuple[int, JudgeQuestion]]:
    """Yield the questions of one answer, each with the place of its outcome."""
    item, answer = kept.suite.items[cell.prompt], answer_of(cell)
    if answer is None:
        return
    for place, value in _rubric_places(item, cell):
        yield (
            place,
            JudgeQuestion(
                judge_prompts.rubric(item, answer, value, met_first=True),
                judge_prompts.rubric(item, answer, value, met_first=False),
                (YES, NO, UNSURE),
            ),
        )


def _rubric_places(item: Item, cell: Cell) -> Iterator[tuple[int, str]]:
    """Yield the place of each outcome that a judge decides, and what it requires."""
    values = [one.value for one in item.assertions if one.type in RUBRIC_TYPES]
    places = [n for n, one in enumerate(cell.assertions) if one.type in RUBRIC_TYPES]
    yield from zip(places, map(_as_text, values), strict=False)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def unaskable(text: str) -> str:
    """Return why a text is no question that can be asked; empty where it can be."""
    try:
        Conversation.of(text)
    except ConfigurationError as error:
        return str(error)
    return ""


def verdicts_of(kept: KeptSuite, judgements: Judgements, refused: str = "") -> list[JudgeVerdict]:
    """Return the verdicts on all pairs of answers that were judged so far.

    Args:
        kept: the suite.
        judgements: what was said.
        refused: why nothing of it counts; empty where it does.
    """
    found: list[JudgeVerdict] = []
    for cells in answered(kept):
        for one, other in pairs_of_cells(cells):
            question = pair_of(kept, one, other)
            said = judgements.get(question, Judgement(is_pending=True)) if question else None
            if said is None or not said.is_pending:
                found.append(_verdict(one, other, said, refused))
    return found


def _verdict(one: Cell, other: Cell, said: Judgement | None, refused: str) -> JudgeVerdict:
    """Return what is said of two answers; None says that they are the same."""
    place = (one.prompt, one.repeat, one.slot, other.slot)
    if said is None:
        return JudgeVerdict(*place, TIE, TIE, TIE)
    if refused:
        return JudgeVerdict(*place, None, said.first, said.swapped, refused)
    winner = said.agreed or None
    return JudgeVerdict(*place, winner, said.first, said.swapped, "" if winner else said.reason)


def outcomes_of(
    kept: KeptSuite, cell: Cell, judgements: Judgements, refused: str = ""
) -> list[AssertionOutcome]:
    """Return the outcomes of an answer, those that a judge decides filled in as far as it said."""
    outcomes = list(cell.assertions)
    for place, question in rubrics_of(kept, cell):
        said = judgements.get(question)
        if said is not None and not said.is_pending:
            outcomes[place] = _outcome(outcomes[place].type, said, refused)
    return outcomes


def _outcome(type_: str, said: Judgement, refused: str) -> AssertionOutcome:
    if refused:
        return AssertionOutcome(type_, None, refused)
    if said.agreed == UNSURE:
        return AssertionOutcome(
            type_, None, "The judge says in both orders that it cannot be told."
        )
    if not said.agreed:
        return AssertionOutcome(type_, None, said.reason)
    passed = (said.agreed == YES) != type_.startswith("not-")
    return AssertionOutcome(
        type_, passed, f"The judge says in both orders {_IN_WORDS[said.agreed]}."
    )
