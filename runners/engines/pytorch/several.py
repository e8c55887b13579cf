"""Several answers at once on PyTorch: a step reads a token of each, in one forward pass.

The longest prompts are read first, those of like length together. As soon as an answer has ended,
the next prompt is read and takes its place.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import InferenceError
from runners.base import End, Piece, Refused, TokenText
from runners.engines.chat_prompt import PreparedPrompt
from runners.engines.context_fit import most_tokens
from runners.engines.pytorch.batch_forward import BatchReader, of_like_length
from runners.engines.pytorch.detokenizer import Detokenizer
from runners.engines.pytorch.sampling import TorchSampler
from runners.engines.sampling import seeded
from runners.engines.stop_strings import StopText

Pieces = Iterator[tuple[int, "Piece | Refused"]]
MakeReader = Callable[[int], BatchReader]  # takes the tokens of the longest conversation
FEWER = "{} answers are written at once instead of {}: there was no memory for more."


class _Answer:
    """One answer under way.

    Attributes:
        number: of its prompt.
        left: how many tokens it may still have.
        batch: the most answers that shared a step with it.
        token: what is to be read next.
    """

    def __init__(
        self, number: int, left: int, sampler: TorchSampler, detokenizer: Detokenizer,
        stops: StopText,
    ) -> None:  # fmt: skip
        self.number, self.left, self.batch, self.token = number, left, 1, 0
        self.detokenizer, self.stops = detokenizer, stops
        self._sampler = sampler
        self._kept: list[TokenText] = []

    def choose(self, scores: Any, ends: frozenset[int]) -> str:
        """Choose its next token; return why the answer ends by that, empty where it goes on.

        Raises:
            InferenceError: the model computes NaN.
        """
        token = self._sampler.next(scores)
        if token in ends:
            return "stop"
        text = self.stops.feed(self.detokenizer.feed(token))
        self._kept.append(TokenText(text, time.monotonic()))
        self.left -= 1
        self.token = token
        if self.stops.found:
            return "stop"
        return "" if self.left else "length"

    def told(self) -> Pieces:
        """Yield its tokens that were kept back."""
        kept, self._kept = self._kept, []
        for piece in kept:
            yield self.number, piece

    def end(self, reason: str) -> Pieces:
        """Yield all that is left of it."""
        yield from self.told()
        rest = self.stops.feed(self.detokenizer.rest()) + self.stops.rest()
        yield self.number, End("stop" if self.stops.found else reason, rest, self.batch)


class Several:
    """Writes answers, as many at once as the reader has seats.

    Attributes:
        should_stop: as of an inferencer; asked after each step.
        is_due: as of an inferencer; asked after each step.
        fallbacks: sentences on what is off.
    """

    def __init__(
        self,
        tokenizer: Any,
        device: Any,
        settings: ModelConfig,
        ends: frozenset[int],
        marks: Mapping[int, str],
    ) -> None:
        """Begin.

        Args:
            tokenizer: the model's.
            device: of its scores.
            settings: of all answers.
            ends: tokens that end an answer.
            marks: special tokens whose text is kept.
        """
        self.should_stop: Callable[[], bool] = lambda: False
        self.is_due: Callable[[], bool] = lambda: True
        self.fallbacks: list[str] = []
        self._tokenizer, self._device = tokenizer, device
        self._settings, self._ends, self._marks = settings, ends, marks
        self._open: list[_Answer] = []  # in the order of the reader's rows
        self._reader: BatchReader

    def pieces(
        self,
        prompts: Mapping[int, PreparedPrompt],
        seeds: Sequence[int],
        limit: int,
        wanted: int,
        make_reader: MakeReader,
    ) -> Pieces:
        """Yield the pieces of all answers as they come.

        Args:
            prompts: by the number of their answer.
            seeds: of all answers; empty for that of the settings.
            limit: tokens of prompt and answer of each.
            wanted: how many answers are to be written at once.
            make_reader: makes what reads them, with as many seats as there is memory for.

        Raises:
            InferenceError: the generation failed.
        """
        self._prompts, self._seeds, self._limit = prompts, seeds, limit
        lengths = {number: len(one.tokens) for number, one in prompts.items()}
        waiting = deque(sorted(prompts, key=lengths.__getitem__, reverse=True))
        self._reader = make_reader(max(length + self._room(length) for length in lengths.values()))
        if self._reader.seats < wanted:
            self.fallbacks.append(FEWER.format(self._reader.seats, wanted))
        try:
            while waiting or self._open:
                yield from self._begin(waiting)
                if self.should_stop():
                    yield from self._cancelled()
                    return
                yield from self._step()
        except Exception:  # PyTorch has its own
            for answer in self._open:
                yield from answer.told()
            raise

    def _room(self, prompt_tokens: int) -> int:
        return most_tokens(self._settings, self._limit - prompt_tokens)

    def _begin(self, waiting: deque[int]) -> Pieces:
        """Read prompts that wait, as many as there are free seats, and choose their first token."""
        seats = min(len(waiting), self._reader.seats - len(self._open))
        numbers = [waiting.popleft() for _ in range(seats)]
        for number in numbers:
            yield number, self._prompts[number].told
        read = self._read_prompts(numbers)
        if read is None:
            for number in numbers:
                yield number, End("cancelled")
            return
        begun = [self._answer(number) for number in numbers]
        self._open += begun
        for answer, together in zip(begun, self._read_with(numbers), strict=True):
            answer.batch = together
        yield from self._choose(begun, read)

    def _read_prompts(self, numbers: Sequence[int]) -> list[Any] | None:
        prompts = [self._prompts[number].tokens for number in numbers]
        return self._reader.add(prompts, self.should_stop) if prompts else []

    def _read_with(self, numbers: Sequence[int]) -> list[int]:
        """Return how many prompts were read in one step with each, itself included."""
        groups = of_like_length([self._prompts[number].tokens for number in numbers])
        return [len(group) for group in groups for _ in group]

    def _answer(self, number: int) -> _Answer:
        prompt = self._prompts[number].tokens
        settings = seeded(self._settings, self._seeds[number] if self._seeds else None)
        return _Answer(
            number,
            self._room(len(prompt)),
            TorchSampler(settings, prompt, self._device),
            Detokenizer(self._tokenizer, self._marks),
            StopText(settings.stop),
        )

    def _step(self) -> Pieces:
        """Read the last token of each answer and choose one more."""
        if not self._open:
            return
        answers = list(self._open)
        for answer in answers:
            answer.batch = max(answer.batch, len(answers))
        scores = self._reader.step([answer.token for answer in answers])
        yield from self._choose(answers, list(scores))

    def _choose(self, answers: Sequence[_Answer], scores: Sequence[Any]) -> Pieces:
        ended = [
            (answer, reason)
            for answer, of_it in zip(answers, scores, strict=True)
            if (reason := answer.choose(of_it, self._ends))
        ]
        if self.is_due():
            for answer in answers:
                yield from answer.told()
        for answer, reason in ended:
            yield from self._end(answer, reason)

    def _end(self, answer: _Answer, reason: str) -> Pieces:
        """End an answer; the last row of the reader gets its place."""
        row = self._open.index(answer)
        self._reader.remove(row)
        last = self._open.pop()
        if last is not answer:
            self._open[row] = last
        yield from answer.end(reason)
        if answer.detokenizer.trouble:
            self.fallbacks.append(answer.detokenizer.trouble)

    def _cancelled(self) -> Pieces:
        for answer in list(self._open):
            yield from self._end(answer, "cancelled")


def prepared(
    prompts: Sequence[Any], make: Callable[[Any], PreparedPrompt]
) -> tuple[dict[int, PreparedPrompt], list[tuple[int, Refused]]]:
    """Return the prompts by their numbers, and those that cannot be answered."""
    ready: dict[int, PreparedPrompt] = {}
    refused: list[tuple[int, Refused]] = []
    for number, prompt in enumerate(prompts):
        try:
            ready[number] = make(prompt)
        except InferenceError as error:  # of its making, which says nothing of the others
            refused.append((number, Refused(error)))
    return ready, refused


def alone(engine: str, reason: str) -> str:
    """Return the sentence for a model whose answers are written one after another."""
    return (
        f"Answers are written one after another: {engine} does not compute several of this model "
        f"at once as it computes one ({reason})."
    )
