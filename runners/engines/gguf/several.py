"""Several answers at once on llama.cpp: each step reads tokens of all, in one context.

As soon as one has ended, the next prompt takes its sequence and is read beside the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import EngineMissingError, InferenceError, ModelLoadError
from runners.base import End, Piece, Refused
from runners.engines.chat_prompt import PreparedPrompt
from runners.engines.context_fit import most_tokens
from runners.engines.gguf.mixed_batch import MixedBatch, Part
from runners.engines.gguf.model import BATCH_TOKENS, GGUFContext, GGUFModel, Scores
from runners.engines.gguf.sampling import GGUFSampler
from runners.engines.gguf.text import GGUFText
from runners.engines.sampling import seeded

Pieces = Iterator[tuple[int, "Piece | Refused"]]
_ALONE = (
    "Answers are written one after another: this version of llama.cpp does not keep several "
    "conversations in one context."
)
_FEWER = (
    "{} answers are written at once instead of {}: there was no memory for more contexts of {} "
    "tokens."
)


def room_for(
    wanted: int, model: GGUFModel, limit: int, threads: int, flash: str, cache_type: str
) -> tuple[GGUFContext, list[str]]:
    """Make a context for as many conversations as are wanted, or as there is memory for.

    Args:
        wanted: how many.
        model: the model.
        limit: tokens of prompt and answer of each.
        threads: to compute with.
        flash: as ``flash_attention`` of a context.
        cache_type: as of a context.

    Returns:
        The context, and sentences on why it has room for fewer.

    Raises:
        ModelLoadError: not even one has room.
    """
    count, said = max(1, wanted), []
    if count > 1 and getattr(model.llama, "llama_memory_seq_rm", None) is None:
        count, said = 1, [_ALONE]
    while True:
        try:
            context = GGUFContext(model, limit, threads, flash, cache_type, count)
        except EngineMissingError:
            if count == 1:
                raise
            count, said = 1, [_ALONE]
        except ModelLoadError:
            if count == 1:
                raise
            count //= 2
            said = [_FEWER.format(count, wanted, limit)]
        else:
            return context, said


# A beginning that several prompts share is read once and copied, which takes the time of reading
# one token for some 500 of the cache of a small model on a processor, of more for a larger one.
_LEAST_SHARED, _COPIED_A_TOKEN = 8, 200
_FEWEST_APART = 8  # tokens of prompts that are worth a reading of all weights by themselves


class _Answer:
    """One answer under way.

    Attributes:
        number: of its prompt.
        sequence: its place in the context.
        tokens: what is to be read next.
        left: how many tokens it may still have.
        batch: the most answers that shared a step with it.
        shared: another one whose prompt begins with the same tokens, and how many; None when
            they were had of it, or where it is read from its first.
    """

    def __init__(
        self, number: int, sequence: int, prompt: list[int], left: int, text: GGUFText
    ) -> None:
        self.number, self.sequence, self.left, self.text = number, sequence, left, text
        self.prompt, self.tokens = prompt, deque(prompt)
        self.scores: Scores | None = None
        self.sampler: GGUFSampler | None = None
        self.position, self.batch = 0, 1
        self.shared: tuple[_Answer, int] | None = None

    def skip(self, count: int) -> None:
        """Leave out its first tokens, which its sequence has."""
        self.position = count
        self.tokens = deque(self.prompt[count:])

    def part(self, most: int) -> Part:
        """Take what is read of it in the next step, so many tokens at the most."""
        tokens = [self.tokens.popleft() for _ in range(min(most, len(self.tokens)))]
        part = Part(self.sequence, self.position, tokens, not self.tokens)
        self.position += len(tokens)
        return part

    def told(self) -> Pieces:
        """Yield its tokens that were kept back."""
        for piece in self.text.told():
            yield self.number, piece

    def end(self, reason: str) -> Pieces:
        """Yield all that is left of it."""
        yield from self.told()
        rest = self.text.rest()
        yield self.number, End("stop" if self.text.found else reason, rest, self.batch)

    def close(self) -> None:
        """Free what llama.cpp holds for it."""
        if self.sampler is not None:
            self.sampler.close()


class Several:
    """Writes answers, as many at once as there are sequences.

    Attributes:
        prompt_of: makes a prompt ready.
        should_stop: as of an inferencer; asked after each step.
        is_due: as of an inferencer; asked after each step.
        penalises_itself: whether llama.cpp's sampler sees to the penalty, which is slower.
    """

    def __init__(
        self,
        model: GGUFModel,
        context: GGUFContext,
        settings: ModelConfig,
        marks: Mapping[int, bytes],
        sequences: int,
    ) -> None:
        """Begin with an empty context.

        Args:
            model: the model.
            context: with room for so many conversations.
            settings: of all answers.
            marks: the control tokens whose text is kept.
            sequences: how many answers are written at once.
        """
        self.prompt_of: Callable[[Any], PreparedPrompt]
        self.should_stop: Callable[[], bool] = lambda: False
        self.is_due: Callable[[], bool] = lambda: True
        self.penalises_itself = False
        self._model, self._context, self._settings = model, context, settings
        self._marks = marks
        self._free = set(range(sequences))
        self._open: list[_Answer] = []
        self._batch = MixedBatch(context.llama, BATCH_TOKENS, sequences)

    def pieces(self, prompts: Sequence[Any], seeds: Sequence[int]) -> Pieces:
        """Yield the pieces of all answers as they come.

        Raises:
            InferenceError: the generation failed.
        """
        waiting, self._seeds = deque(enumerate(prompts)), seeds
        self._context.clear()
        try:
            while waiting or self._open:
                yield from self._begin(waiting)
                if self.should_stop():
                    yield from self._cancelled()
                    return
                yield from self._step()
        except InferenceError:
            for answer in self._open:
                yield from answer.told()
            raise
        finally:
            for answer in self._open:
                answer.close()

    def _begin(self, waiting: deque[tuple[int, Any]]) -> Pieces:
        """Give every free sequence to a prompt that waits."""
        while waiting and self._free:
            number, prompt = waiting.popleft()
            try:
                prepared = self.prompt_of(prompt)
            except InferenceError as error:  # of its making, which says nothing of the others
                yield number, Refused(error)
                continue
            yield number, prepared.told
            left = most_tokens(self._settings, self._context.limit - len(prepared.tokens))
            text = GGUFText(self._model, self._settings.stop, self._marks)
            sequence = min(self._free)
            self._free.remove(sequence)
            answer = _Answer(number, sequence, prepared.tokens, left, text)
            answer.shared = self._sharing(answer)
            self._open.append(answer)

    def _sharing(self, answer: _Answer) -> tuple[_Answer, int] | None:
        """Return the open answer whose prompt begins most like this one, and for how many tokens.

        None where it is not worth it: the copy is of a whole cache.
        """
        if not self._context.can_copy:
            return None
        most = len(answer.prompt) - 1  # the last is read in any case: it has the scores
        counts = [(_common(answer.prompt, one.prompt, most), one) for one in self._open]
        count, other = max(counts, key=lambda pair: pair[0], default=(0, None))
        if other is None or count < max(_LEAST_SHARED, self._context.limit // _COPIED_A_TOKEN):
            return None
        return other, count

    def _step(self) -> Pieces:
        """Read the next tokens of all answers, and choose one more of each that is read."""
        if not self._open:
            return
        self._close_gaps()
        read = self._read()
        for answer in read:
            answer.batch = max(answer.batch, len(read))
        chosen = [answer for answer in read if not answer.tokens]
        ended = [(answer, reason) for answer in chosen if (reason := self._choose(answer))]
        is_due = self.is_due()
        for answer in chosen:
            if is_due or answer.text.may_end:
                yield from answer.told()
        ended += [(answer, "stop") for answer in chosen if answer.text.found and answer.tokens]
        for answer, reason in ended:
            yield from self._end(answer, reason)

    def _close_gaps(self) -> None:
        """Move answers to the sequences of those that have ended, the last to the first.

        llama.cpp computes together only what follows one another: at each gap it takes a step
        apart, and reads all weights once more.
        """
        if not self._context.can_copy:
            return
        for answer in sorted(self._open, key=lambda one: one.sequence, reverse=True):
            gap = min(self._free, default=answer.sequence)
            if gap >= answer.sequence:
                return
            self._context.move(answer.sequence, gap)
            self._free ^= {gap, answer.sequence}
            answer.sequence = gap

    def _read(self) -> list[_Answer]:
        """Let the model read one token of each answer, and of prompts as much as there is room.

        In the order of the sequences: llama.cpp computes together those that follow one another.
        """
        writing = [answer for answer in self._open if answer.sampler]
        reading = [one for one in self._open if not one.sampler and self._has_beginning(one)]
        room = BATCH_TOKENS - len(writing)
        read = [(answer, answer.part(1)) for answer in writing]
        most = _of_each([len(answer.tokens) for answer in reading], room, bool(writing))
        for answer in reading:
            if room:
                read.append((answer, answer.part(min(most, room))))
                room -= len(read[-1][1].tokens)
        read.sort(key=lambda pair: pair[0].sequence)
        places = self._context.read_mixed(self._batch, [part for _, part in read])
        for (answer, _), place in zip(read, places, strict=True):
            if not answer.tokens:
                self._note_scores(answer, place)
        return [answer for answer, _ in read]

    def _has_beginning(self, answer: _Answer) -> bool:
        """Whether an answer can be read: what it shares with another one is read there first."""
        if answer.shared is None:
            return True
        other, count = answer.shared
        if other.position < count:
            return False
        answer.shared = None
        if self._context.copy_beginning(other.sequence, answer.sequence, count):
            answer.skip(count)
        return True

    def _note_scores(self, answer: _Answer, place: int) -> None:
        """Say where the scores after its last token are; its sampler is made at the first."""
        context = self._context
        if answer.scores is None:
            answer.scores = Scores(context.llama, context.pointer, context.vocabulary_size)
        answer.scores.output = place
        if answer.sampler is None:
            seed = self._seeds[answer.number] if self._seeds else None
            settings = seeded(self._settings, seed)
            answer.sampler = GGUFSampler(answer.scores, settings, answer.prompt)
            self.penalises_itself |= answer.sampler.penalises_itself

    def _choose(self, answer: _Answer) -> str:
        """Choose its next token; return why the answer ends by that, empty where it goes on."""
        assert answer.sampler is not None
        token = answer.sampler.next()
        if token == self._settings.eos_token_id or self._model.ends_answer(token):
            return "stop"
        answer.text.keep(token)
        answer.left -= 1
        if not answer.left:
            return "length"
        answer.tokens.append(token)
        return ""

    def _end(self, answer: _Answer, reason: str) -> Pieces:
        """End an answer, and free its sequence for the next."""
        answer.close()
        self._open.remove(answer)
        for one in self._open:
            if one.shared and one.shared[0] is answer and not self._has_beginning(one):
                one.shared = None
        self._context.forget(answer.sequence)
        self._free.add(answer.sequence)
        yield from answer.end(reason)

    def _cancelled(self) -> Pieces:
        for answer in list(self._open):
            yield from self._end(answer, "cancelled")


def _of_each(lengths: Sequence[int], room: int, beside_others: bool) -> int:
    """Return how many tokens to read of each prompt in a step, at most.

    llama.cpp reads together as many of each as the shortest has, beside an answer one; what some
    have more it reads in further parts, each with all weights. So it is left to the next steps,
    and a few are read one in a step. Of long prompts the first is read whole.

    Args:
        lengths: what is left of each.
        room: for tokens of all of them.
        beside_others: whether answers are being written in the same step.
    """
    least = min(lengths, default=0)
    if least * len(lengths) > room:
        return room
    return 1 if beside_others and (least - 1) * len(lengths) < _FEWEST_APART else least


def _common(one: Sequence[int], other: Sequence[int], most: int) -> int:
    """Return with how many tokens two prompts begin alike."""
    pairs = zip(one[:most], other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(most, len(other)))
