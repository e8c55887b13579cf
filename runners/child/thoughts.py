"""The messages of one answer, in which its thoughts are told apart, whichever engine writes."""

from __future__ import annotations

from comparator.core.text import without_surrogates
from runners import protocol
from runners.base import BaseInferencer, PromptTokens
from runners.engines.prompt_end import opened_by
from runners.engines.thinking import Split, ThoughtMarks, ThoughtSplitter


class AnswerTeller:
    """Makes the messages of one answer from an engine's pieces.

    Attributes:
        tokens: how many were told.
    """

    def __init__(self, inferencer: BaseInferencer, answer: int, goes_on: bool = False) -> None:
        """Begin an answer, or go on with one that has begun."""
        self._inferencer, self._answer, self._goes_on = inferencer, answer, goes_on
        self._prompt = ""
        self._after_messages: str | None = None
        self._splitter: ThoughtSplitter | None = None
        self._undecided = self._of_thoughts = 0
        self.tokens = 0

    def take_prompt(self, prompt: PromptTokens) -> None:
        """Note the prompt: its end may begin a thought."""
        self._prompt, self._after_messages = prompt.rendered_prompt, prompt.after_messages

    def token(self, text: str, seconds: float) -> protocol.Token:
        """Return the message of a token that was chosen ``seconds`` after the run's start."""
        self.tokens += 1
        self._undecided += 1
        split = self._made().feed(without_surrogates(text))
        return protocol.Token(
            split.answer,
            self.tokens,
            seconds,
            self._answer,
            split.thought,
            self._found(split),
            split.was_thought,
        )

    def answered(
        self,
        reason: str,
        text: str,
        seconds: float,
        prefill: protocol.ProcessorTime | None,
        decode: protocol.ProcessorTime | None,
    ) -> protocol.Answered:
        """Return the message of the end, with the text that was still held back."""
        split = self._made().feed(without_surrogates(text))
        found, rest = self._found(split), self._made().rest()
        return protocol.Answered(
            reason,
            self.tokens,
            seconds,
            split.answer + rest.answer,
            self._answer,
            prefill=prefill,
            decode=decode,
            thought=split.thought + rest.thought,
            thought_tokens=found,
            was_thought=split.was_thought,
        )

    def _made(self) -> ThoughtSplitter:
        """Return the splitter, made at the first text: by then the engine knows its marks."""
        if self._splitter is None:
            marks = self._inferencer.thought_marks or ThoughtMarks()
            if self._goes_on:
                self._splitter = ThoughtSplitter(marks, is_in_answer=True)
            else:
                self._splitter = opened_by(self._prompt, self._after_messages, marks)
        return self._splitter

    def _found(self, split: Split) -> int:
        """Return how many tokens more are found to be a thought's."""
        splitter, found = self._made(), 0
        if split.was_thought:
            found = self.tokens - self._of_thoughts
        elif splitter.state == "thought" or split.thought or split.has_mark:
            found = self._undecided
        if found or not splitter.is_undecided:
            self._undecided = 0
        self._of_thoughts += found
        return found
