"""Several answers of one run at once: their messages come mixed, each with its answer's number."""

from __future__ import annotations

import msgspec

from comparator.core import exceptions
from runners import protocol
from runners.base import End, Piece, PromptTokens, Refused
from runners.child.answerer import Answerer
from runners.child.failures import explain
from runners.child.stage import Stage
from runners.child.telling import Teller, prompted
from runners.child.thoughts import AnswerTeller


def tell(answerer: Answerer, work: protocol.Answer, teller: Teller, stage: Stage) -> None:
    """Tell every piece of all answers as it comes.

    Raises:
        InferenceError: the inferencer left an answer without an end.
    """
    stage.name = "prompt"
    prompts = [answerer.prompt(conversation) for conversation in work.conversations]
    answers = _Answers(answerer, work, teller, stage)
    found = answerer.inferencer.pieces_of_all(prompts, work.seeds, work.at_once)
    for number, piece in found:
        answers.take(number, piece)
    answers.check_end()


class _Answers:
    """Makes messages of the pieces of all answers of one run."""

    def __init__(
        self, answerer: Answerer, work: protocol.Answer, teller: Teller, stage: Stage
    ) -> None:
        self._teller, self._stage, self._at_once = teller, stage, work.at_once
        self._of = {
            number: AnswerTeller(answerer.inferencer, number, bool(conversation.begun))
            for number, conversation in enumerate(work.conversations)
        }
        self._was_stopped = False

    def take(self, number: int, piece: Piece | Refused) -> None:
        """Tell a piece of one answer.

        Raises:
            InferenceError: there is no such answer, or it has ended.
        """
        if number not in self._of:
            raise exceptions.InferenceError(
                f"The inferencer told a piece of answer {number}, which has ended or was never "
                "asked for. Each is told with the number of its prompt, counted from 0."
            )
        messages, seconds = self._of[number], self._teller.seconds()
        if isinstance(piece, Refused):
            kind, words = explain(piece.error, self._stage.name)
            del self._of[number]
            self._teller.tell(protocol.Answered("error", 0, seconds, "", number, words, kind))
        elif isinstance(piece, PromptTokens):
            self._stage.name = "generate"
            messages.take_prompt(piece)
            self._teller.tell(prompted(piece, number, seconds))
        elif isinstance(piece, End):
            self._end(number, piece, seconds)
        else:
            self._teller.tell(messages.token(piece.text, self._teller.since_start(piece.at)))

    def check_end(self) -> None:
        """Refuse an inferencer that has left out an answer, unless it was stopped.

        Raises:
            InferenceError: an answer has no end.
        """
        if self._of and not self._was_stopped:
            raise exceptions.InferenceError("The inferencer's pieces ended without an End.")

    def _end(self, number: int, piece: End, seconds: float) -> None:
        told = self._of.pop(number).answered(piece.reason, piece.text, seconds, None, None)
        self._was_stopped |= piece.reason == "cancelled"
        batch = min(max(1, piece.batch), self._at_once)
        self._teller.tell(msgspec.structs.replace(told, batch=batch))
