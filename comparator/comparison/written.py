"""What one model has written: its thought and its answer, apart, and when they came."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from comparator.core.models import Thinking
from runners import protocol

TICK_SECONDS = 1e-9  # of a clock; of less nothing is measured
_TIMES_KEPT = 32  # of the latest tokens; what marks the beginning of a thought has fewer


@dataclass(frozen=True)
class ReadingPlace:
    """How far a reader has come: parts of the answer and of the thought, and of which edition."""

    answer: int = 0
    thought: int = 0
    edition: int = 0


@dataclass(frozen=True)
class Added:
    """What was written since a place; ``is_anew`` where all from the beginning is told again."""

    answer: str
    thought: str
    is_anew: bool
    place: ReadingPlace


@dataclass(frozen=True)
class AnswerPart:
    """A part of an answer that became readable at once.

    Attributes:
        text: the part.
        tokens: how many tokens it is made of: one, or more where one of them ended inside a
            character or was held back; 0 for what belongs to the token before it.
        probability: how likely the model found it, 0 to 1; None where its engine does not tell.
    """

    text: str
    tokens: int
    probability: float | None = None


class Written:
    """Takes the tokens of one answer.

    Attributes:
        first_token: when the first token came, in seconds of the run; None before.
        last_token: the same of the last.
        first_answer_token: the same of the first that is the answer's.
        tokens: how many came.
    """

    def __init__(self, begun: str = "") -> None:
        """Begin an answer; ``begun`` is what was written of it before, which no figure counts."""
        self.first_token: float | None = None
        self.last_token: float | None = None
        self.first_answer_token: float | None = None
        self.tokens = 0
        self._begun = [begun] if begun else []
        self._answer: list[str] = list(self._begun)
        self._answer_tokens = [0 for _ in self._begun]  # of each part of the answer
        self._readable = 0  # tokens whose text has been told
        self._thought: list[str] = []
        self._edition = 0
        self._times: deque[float] = deque(maxlen=_TIMES_KEPT)
        self._thought_tokens = 0
        self._thought_began = self._thought_ended = 0.0
        self._characters = self._first_characters = 0

    @property
    def answer(self) -> str:
        """The answer so far."""
        return "".join(self._answer)

    @property
    def has_answer(self) -> bool:
        """Whether there is any of it but white space."""
        return any(part.strip() for part in self._answer)

    def pieces(self) -> list[AnswerPart]:
        """Return the answer so far by its tokens."""
        return [AnswerPart(*part) for part in zip(self._answer, self._answer_tokens, strict=True)]

    @property
    def is_empty(self) -> bool:
        """Whether no token came."""
        return not self.tokens

    def thinking(self, with_text: bool = True) -> Thinking | None:
        """Return the thought so far; None where there is none."""
        if not any(self._thought):
            return None
        text = "".join(self._thought) if with_text else ""
        seconds = max(0.0, self._thought_ended - self._thought_began)
        return Thinking(text, self._thought_tokens, seconds)

    def since(self, place: ReadingPlace) -> Added:
        """Return what was written since a reader's place, and the new place."""
        is_anew = place.edition != self._edition
        read = ReadingPlace() if is_anew else place
        now = ReadingPlace(len(self._answer), len(self._thought), self._edition)
        answer, thought = self._answer[read.answer :], self._thought[read.thought :]
        return Added("".join(answer), "".join(thought), is_anew, now)

    def take(self, message: protocol.Token) -> None:
        """Take in a token."""
        self.tokens, self.last_token = message.index, message.seconds
        self._times.append(message.seconds)
        if self.first_token is None:
            self.first_token = message.seconds
            self._first_characters = len(message.text) + len(message.thought)
        self._take_text(message, message.seconds)

    def take_rest(self, message: protocol.Answered) -> None:
        """Take in what was held back until the end; it belongs to the last token."""
        self._take_text(message, message.seconds if self.last_token is None else self.last_token)

    def tokens_per_second(self) -> float | None:
        """Return decode speed: (tokens - 1) / (last token - first token)."""
        elapsed = self._elapsed()
        return (self.tokens - 1) / elapsed if elapsed else None

    def characters_per_second(self) -> float | None:
        """Return the same of characters of thought and answer: those after the first token's."""
        elapsed = self._elapsed()
        return (self._characters - self._first_characters) / elapsed if elapsed else None

    def _elapsed(self) -> float:
        if self.first_token is None or self.last_token is None:
            return 0.0
        elapsed = self.last_token - self.first_token
        return elapsed if elapsed > TICK_SECONDS else 0.0

    def _take_text(self, message: protocol.Token | protocol.Answered, seconds: float) -> None:
        if message.thought_tokens:
            self._note_thought(message.thought_tokens, seconds)
        self._characters += len(message.text) + len(message.thought)
        if message.was_thought:
            self._call_thought(message.thought)
        elif message.thought:
            self._thought.append(message.thought)
        if message.text:
            self._answer.append(message.text)
            self._answer_tokens.append(max(0, self.tokens - self._readable))
            if self.first_answer_token is None:
                self.first_answer_token = seconds if self._thought_tokens else self.first_token
        if message.text or message.thought or message.thought_tokens:
            self._readable = self.tokens

    def _note_thought(self, tokens: int, seconds: float) -> None:
        if not self._thought_tokens:
            known = tokens <= len(self._times)
            began = self._times[-tokens] if known else self.first_token
            self._thought_began = seconds if began is None else began
        self._thought_tokens += tokens
        self._thought_ended = seconds

    def _call_thought(self, more: str) -> None:
        """Make all of the answer so far the thought."""
        before, written = "".join(self._thought), self._answer[len(self._begun) :]
        self._thought = [(before + "".join(written) + more).strip()]
        self._answer = list(self._begun)
        self._answer_tokens = [0 for _ in self._begun]
        self._edition += 1
        self.first_answer_token = None
