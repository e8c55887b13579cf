"""A local model as a judge: asked in both orders, and believed only as far as it is steady.

Judges of text favour what stands first, or a letter, or themselves. So each question is asked in
two orders that mean the same, and counts only where both say the same; how often that was so is
measured and shown, and a judge that is hardly steadier than a coin is refused. docs/judge.md tells
why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from comparator.comparison.request import Slot
from comparator.core.config import ModelConfig
from comparator.evaluation import judge_questions, judge_run
from comparator.evaluation.judge_families import relatives
from comparator.evaluation.judge_questions import TIE, UNSURE, Judgement, JudgeQuestion, Said
from comparator.evaluation.statistics.rates import CONFIDENCE
from comparator.formats.chat_template import SWITCHES
from comparator.library.facts.lookup import facts_of
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import KeptSuite

LEAST_CONSISTENCY = 0.65  # a coin has 0.5 between two letters
MOST_TOKENS = 8  # of a letter, in any vocabulary


class Judge:
    """Judges the answers of a suite by one model, which is loaded once for all of it."""

    def __init__(self, engine: InferenceEngine, slot: Slot) -> None:
        """Take a model as the judge.

        Args:
            engine: who runs models.
            slot: the model, with settings for where and how it computes; those of how it writes
                are the judge's own (``settings_of``).
        """
        self._engine = engine
        self._slot = replace(slot, config=settings_of(slot))

    def judged(
        self,
        kept: KeptSuite,
        should_stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> KeptSuite:
        """Return the suite with what the judge says of it: outcomes, verdicts, and who it is.

        Whatever an earlier call has said is said anew. It waits until the judge's process has
        gone, and raises nothing on account of a model: what went wrong is in ``kept.judge``.

        Args:
            kept: a suite whose answers are there.
            should_stop: asked about every 0.1 s; then what was judged so far stays.
            on_progress: told how many of how many answers of the judge have come; each question
                takes two.
        """
        questions = judge_questions.questions_of(kept)
        judgements, error = self._ask(questions, should_stop, on_progress)
        steadiness = Steadiness.of(judgements.values())
        refused = steadiness.refusal
        cells = [
            msgspec.structs.replace(
                cell, assertions=judge_questions.outcomes_of(kept, cell, judgements, refused)
            )
            for cell in kept.cells
        ]
        return msgspec.structs.replace(
            kept,
            cells=cells,
            verdicts=judge_questions.verdicts_of(kept, judgements, refused),
            judge=self._told(kept, steadiness, list(judgements.values()), error),
        )

    def _ask(
        self,
        questions: Sequence[JudgeQuestion],
        should_stop: Callable[[], bool],
        on_progress: Callable[[int, int], None],
    ) -> tuple[dict[JudgeQuestion, Judgement], str]:
        found: dict[JudgeQuestion, Judgement] = {}
        asked: list[JudgeQuestion] = []
        for question in questions:
            trouble = judge_questions.unaskable(question.first)
            if trouble:
                found[question] = Judgement(trouble=trouble)
            else:
                asked.append(question)
        if not asked or should_stop():
            return found, ""
        texts = [text for question in asked for text in (question.first, question.swapped)]
        said, error = judge_run.ask(self._engine, self._slot, texts, should_stop, on_progress)
        both = zip(asked, said[::2], said[1::2], strict=True)
        return found | {one: _judgement(one, first, swapped) for one, first, swapped in both}, error

    def _told(
        self,
        kept: KeptSuite,
        steadiness: Steadiness,
        judgements: Sequence[Judgement],
        error: str,
    ) -> dict[str, Any]:
        related = relatives(self._slot.model, [slot.model for slot in kept.slots])
        unsaid = sum(1 for one in judgements if not one.is_whole and not one.is_pending)
        labels = [kept.slots[number].label or f"column {number + 1}" for number in related]
        sentences = [
            steadiness.refusal or steadiness.in_words,
            f"It ended early: {error}" if error else "",
            f"{unsaid} questions got no answer in both orders; each says why." if unsaid else "",
            _FAMILY.format(labels=", ".join(labels)) if labels else "",
        ]
        return {
            "model": self._slot.model.to_record(),
            "config": asdict(self._slot.config),
            "label": self._slot.label,
            "consistency": steadiness.consistency,
            "interval": steadiness.interval,
            "verdicts": steadiness.asked,
            "agreed": steadiness.agreed,
            "undecided": steadiness.undecided,
            "sided_consistency": steadiness.sided_consistency,
            "is_refused": steadiness.is_refused,
            "is_complete": not error and not any(one.is_pending for one in judgements),
            "same_family": related,
            "error": error or None,
            "sentences": [sentence for sentence in sentences if sentence],
        }


_FAMILY = (
    "The judge is of the same family as {labels}: models tend to prefer what is written as by "
    "themselves."
)


@dataclass(frozen=True)
class Steadiness:
    """How often a judge said the same in both orders.

    Attributes:
        asked: questions that were answered in both.
        agreed: of those, where it said the same.
        undecided: of the agreed, where it said that there is no difference, or nothing to tell.
    """

    asked: int
    agreed: int
    undecided: int

    @classmethod
    def of(cls, judgements: Any) -> Steadiness:
        """Count what was said."""
        whole = [one for one in judgements if one.is_whole]
        agreed = [one.agreed for one in whole if one.agreed]
        return cls(len(whole), len(agreed), sum(one in (TIE, UNSURE) for one in agreed))

    @property
    def consistency(self) -> float | None:
        """The share, 0 to 1; None where nothing was asked."""
        return self.agreed / self.asked if self.asked else None

    @property
    def sided_consistency(self) -> float | None:
        """The same of the questions in which it took a side in at least one order.

        A judge that mostly finds no difference is steady in that, and may take sides like a coin.
        """
        sided = self.asked - self.undecided
        return (self.agreed - self.undecided) / sided if sided else None

    @property
    def interval(self) -> list[float] | None:
        """The exact interval of the share of all (Clopper and Pearson), at 95 %."""
        return _interval(self.agreed, self.asked) if self.asked else None

    @property
    def is_refused(self) -> bool:
        """Whether nothing that it said counts."""
        return any(
            share is not None and share < LEAST_CONSISTENCY
            for share in (self.consistency, self.sided_consistency)
        )

    @property
    def refusal(self) -> str:
        """Why nothing that it said counts, in a sentence; empty where it does."""
        if not self.is_refused:
            return ""
        return (
            f"The judge is refused: it said the same in both orders in {self._sided_share}, which "
            f"is less than {LEAST_CONSISTENCY:.0%}. Nothing that it said counts; take a larger "
            "model."
        )

    @property
    def in_words(self) -> str:
        """How steady it is, in a sentence."""
        if not self.asked:
            return "There was nothing to ask the judge, or it answered nothing."
        told = f"The judge said the same in both orders in {self._sided_share}."
        if self.undecided == self.agreed:
            return f"{told} It never told two answers apart, so that it decides nothing."
        return told

    @property
    def _sided_share(self) -> str:
        told = _share(self.agreed, self.asked, "questions")
        agreed, sided = self.agreed - self.undecided, self.asked - self.undecided
        if not self.undecided or not sided:
            return told
        return f"{told}, and in {_share(agreed, sided, 'in which it took a side')}"


def _interval(agreed: int, asked: int) -> list[float]:
    from scipy.stats import binomtest

    found = binomtest(agreed, asked).proportion_ci(CONFIDENCE, "exact")
    return [float(found.low), float(found.high)]


def _share(agreed: int, asked: int, what: str) -> str:
    low, high = _interval(agreed, asked)
    share = 100 * agreed // asked  # 64.9 % is no 65 %
    return f"{agreed} of {asked} {what} ({share}%, {low:.0%} to {high:.0%})"


def settings_of(slot: Slot) -> ModelConfig:
    """Return the settings that a judge is asked with.

    Where and how it computes stays as it was given (context, threads, accelerator, number formats,
    adapters). It takes the likeliest letter, is told nothing beside the question, and does not
    think first where its chat template can be told so.
    """
    known = facts_of(slot.model).template_arguments or ()
    return replace(
        slot.config,
        max_tokens=MOST_TOKENS,
        do_sample=False,
        repeat_penalty=1.0,
        seed=0,
        stop=[],
        system_prompt="",
        sampling="given",
        thinking="off" if set(known) & set(SWITCHES) else "auto",
    )


def _judgement(question: JudgeQuestion, first: Said, swapped: Said) -> Judgement:
    said = question.meaning(first.letter) if first.letter else ""
    behind = question.meaning(swapped.letter, is_swapped=True) if swapped.letter else ""
    trouble = first.trouble or swapped.trouble
    return Judgement(said, behind, trouble, is_pending=not trouble and not (said and behind))
