"""In which order a child may tell its answers; what is out of it is no message of a run."""

from __future__ import annotations

from dataclasses import dataclass

from runners import protocol


@dataclass
class _Open:
    """What was told of an answer that has not ended."""

    tokens: int = 0
    of_thoughts: int = 0
    was_thought: bool = False
    is_prompted: bool = False


class AnswerOrder:
    """Follows the answers of one run.

    Attributes:
        tokens: how many tokens were told so far, of all answers.
        ended: how many answers have ended.
    """

    def __init__(self, answers: int, at_once: int = 1) -> None:
        """Begin a run of so many answers, of which some may be told mixed."""
        self.tokens = self.ended = 0
        self._answers, self._at_once = answers, at_once
        self._open: dict[int, _Open] = {}
        self._over: set[int] = set()
        self._is_cancelled = False

    @property
    def is_over(self) -> bool:
        """Whether no further answer is to come."""
        return self.ended >= self._answers or (self._is_cancelled and not self._open)

    @property
    def reading(self) -> int:
        """How many prompts were told whose answers have no token yet."""
        return sum(not answer.tokens for answer in self._open.values())

    @property
    def is_between(self) -> bool:
        """Whether no answer is being written and further ones are to come."""
        return not self.is_over and self.reading == len(self._open)

    def check(self, message: protocol.ChildMessage) -> None:
        """Take in a message.

        Raises:
            ProtocolError: it does not come in its turn.
        """
        if isinstance(message, protocol.Prompted):
            self._prompted(self._answer(message.answer))
        elif isinstance(message, protocol.Token):
            self._token(self._answer(message.answer), message)
        elif isinstance(message, protocol.Answered):
            self._answered(self._answer(message.answer), message)
        elif isinstance(message, protocol.Finished) and not self.is_over:
            raise protocol.ProtocolError("the end of a run before that of its answers")

    def _answer(self, number: int) -> _Open:
        """Return what is known of an answer that may be told of now; it begins where none is."""
        if number not in self._open:
            in_turn = number == self.ended or self._at_once > 1
            is_one = number < self._answers and number not in self._over
            has_seat = len(self._open) < self._at_once and not self._is_cancelled
            if not (in_turn and is_one and has_seat):
                raise protocol.ProtocolError("answers are not told in order")
            self._open[number] = _Open()
        return self._open[number]

    def _prompted(self, answer: _Open) -> None:
        if answer.is_prompted or answer.tokens:
            raise protocol.ProtocolError("an answer has one prompt, before its tokens")
        answer.is_prompted = True

    def _token(self, answer: _Open, message: protocol.Token) -> None:
        self.tokens += 1
        answer.tokens += 1
        if message.index != answer.tokens:
            raise protocol.ProtocolError("tokens are not numbered in order")
        self._thought(answer, message)

    def _thought(self, answer: _Open, message: protocol.Token | protocol.Answered) -> None:
        """Check what is told of thoughts: no more tokens than there are, and one change of mind."""
        answer.of_thoughts += message.thought_tokens
        if answer.of_thoughts > answer.tokens:
            raise protocol.ProtocolError("more tokens of a thought than there are")
        if message.was_thought and answer.was_thought:
            raise protocol.ProtocolError("an answer is called a thought twice")
        answer.was_thought |= message.was_thought

    def _answered(self, answer: _Open, message: protocol.Answered) -> None:
        if not 1 <= message.batch <= self._at_once:
            raise protocol.ProtocolError("more answers at once than were asked for")
        self._thought(answer, message)
        del self._open[message.answer]
        self._over.add(message.answer)
        self.ended += 1
        self._is_cancelled |= message.reason == "cancelled"
