"""One load of a judge's model for all that it is asked: a run of many conversations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request, Slot
from comparator.core.conversation import Conversation
from comparator.evaluation.judge_prompts import LETTERS
from comparator.evaluation.judge_questions import Said
from comparator.services.inference_engine import InferenceEngine
from runners import protocol

LOOK_SECONDS = 0.1
_NO_CHOICE = "The judge answered {said!r}, which is none of A, B and C."
_OVER = "The judge ended before it was asked this: {why}"


class _Asking(Comparison):
    """A comparison of one slot whose child is asked all texts, where another asks one."""

    def __init__(
        self, request: Request, conversations: Sequence[Conversation], answers: Answers
    ) -> None:
        super().__init__(request)
        self._conversations, self._answers = tuple(conversations), answers

    def _assignment(
        self,
        number: int,
        slot: Slot,
        started: float,
        verdict: dict[str, Any] | None = None,
    ) -> protocol.Assignment:
        assignment = super()._assignment(number, slot, started, verdict)
        work = assignment.work
        assert isinstance(work, protocol.Answer)
        asked = replace(work, conversations=self._conversations, choices=LETTERS)
        return msgspec.structs.replace(assignment, work=asked)

    def _delivered(self, number: int, message: protocol.Message) -> None:
        self._answers.hear(message)
        super()._delivered(number, message)


class Answers:
    """What a judge has said so far, by the number of the conversation; written by one thread."""

    def __init__(self, count: int) -> None:
        self.said = [Said() for _ in range(count)]
        self.ended = 0
        self._texts = [""] * count

    def hear(self, message: protocol.Message) -> None:
        """Take in a message of the run."""
        if isinstance(message, protocol.Token):
            # What a template makes a model think first is all that it may say: one letter.
            self._texts[message.answer] += message.thought + message.text
        elif isinstance(message, protocol.Answered) and message.reason != "cancelled":
            text = self._texts[message.answer] + message.thought + message.text
            self.said[message.answer] = _said(message, text.strip())
            self.ended += 1

    def end(self, why: str) -> None:
        """Note why those that were not answered will not be."""
        self.said = [one if any(one) else Said("", _OVER.format(why=why)) for one in self.said]


def _said(message: protocol.Answered, text: str) -> Said:
    if message.reason == "error":
        return Said("", f"This could not be asked of the judge: {message.error}")
    return Said(text) if text in LETTERS else Said("", _NO_CHOICE.format(said=text[:60]))


def ask(
    engine: InferenceEngine,
    slot: Slot,
    texts: Sequence[str],
    should_stop: Callable[[], bool],
    on_progress: Callable[[int, int], None],
) -> tuple[list[Said], str]:
    """Ask a model all of these texts, and return what it said to each, and why it ended early.

    Args:
        engine: who runs models.
        slot: the judge, with the settings that it is asked with.
        texts: the questions; at least one.
        should_stop: asked about every 0.1 s; then what was not answered stays open.
        on_progress: told how many of how many are answered.

    Returns:
        What was said, in the order of the texts; and the error by which the run ended, empty where
        it ended well or was stopped.
    """
    answers = Answers(len(texts))
    comparison = _comparison(engine, slot, texts, answers)
    engine.start(comparison)
    told = 0
    try:
        while not comparison.is_complete:
            comparison.drain(LOOK_SECONDS)
            if should_stop():
                comparison.stop()
            if answers.ended > told:
                told = answers.ended
                on_progress(told, len(texts))
    finally:
        engine.finish(comparison)
    error = comparison.result(0).error or ""
    if error:
        answers.end(error)
    return answers.said, error


def _comparison(
    engine: InferenceEngine, slot: Slot, texts: Sequence[str], answers: Answers
) -> Comparison:
    conversations = [Conversation.of(text) for text in texts]
    # Whether the shortest fits is known before; each of the others is refused by itself.
    shortest = min(conversations, key=lambda one: len(one.question))
    request = engine.request(shortest, [slot.model], {slot.model.id: slot.config})
    deadlines = replace(request.deadlines, total_seconds=None)  # that of one answer's run
    return _Asking(replace(request, deadlines=deadlines), conversations, answers)
