"""In which order a child may tell its answers; what is out of it is no message of a run."""

from __future__ import annotations

from runners import protocol


class AnswerOrder:
    """Follows the answers of one run.

    Attributes:
        tokens: how many tokens were told so far, of all answers.
        ended: how many answers have ended.
    """

    def __init__(self, answers: int) -> None:
        self.tokens = self.ended = 0
        self._answers = answers
        self._of_this_answer = 0
        self._of_its_thoughts = 0
        self._was_thought = self._is_prompted = False
        self._is_cancelled = False

    @property
    def is_over(self) -> bool:
        """Whether no further answer is to come."""
        return self.ended >= self._answers or self._is_cancelled

    def check(self, message: protocol.ChildMessage) -> None:
        """Take in a message.

        Raises:
            ProtocolError: it does not come in its turn.
        """
        if isinstance(message, (protocol.Prompted, protocol.Token, protocol.Answered)):
            self._check_number(message.answer)
        if isinstance(message, protocol.Prompted):
            self._prompted()
        elif isinstance(message, protocol.Token):
            self._token(message)
        elif isinstance(message, protocol.Answered):
            self._answered(message)
        elif isinstance(message, protocol.Finished) and not self.is_over:
            raise protocol.ProtocolError("the end of a run before that of its answers")

    def _check_number(self, answer: int) -> None:
        if answer != self.ended or self.is_over:
            raise protocol.ProtocolError("answers are not told in order")

    def _prompted(self) -> None:
        if self._is_prompted or self._of_this_answer:
            raise protocol.ProtocolError("an answer has one prompt, before its tokens")
        self._is_prompted = True

    def _token(self, message: protocol.Token) -> None:
        self.tokens += 1
        self._of_this_answer += 1
        if message.index != self._of_this_answer:
            raise protocol.ProtocolError("tokens are not numbered in order")
        self._thought(message)

    def _thought(self, message: protocol.Token | protocol.Answered) -> None:
        """Check what is told of thoughts: no more tokens than there are, and one change of mind."""
        self._of_its_thoughts += message.thought_tokens
        if self._of_its_thoughts > self._of_this_answer:
            raise protocol.ProtocolError("more tokens of a thought than there are")
        if message.was_thought and self._was_thought:
            raise protocol.ProtocolError("an answer is called a thought twice")
        self._was_thought |= message.was_thought

    def _answered(self, message: protocol.Answered) -> None:
        self._thought(message)
        self.ended += 1
        self._of_this_answer = self._of_its_thoughts = 0
        self._was_thought = self._is_prompted = False
        self._is_cancelled = message.reason == "cancelled"
