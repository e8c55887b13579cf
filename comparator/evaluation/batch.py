"""How many answers one model writes at once: as memory and the prompts allow."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from comparator.comparison.request import Slot
from comparator.core.config import USUAL_CONTEXT_TOKENS, ModelConfig
from comparator.core.conversation import BYTES_AROUND_A_TURN, Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import CONTEXT_STEP
from comparator.core.models import ModelType
from comparator.library.facts.lookup import facts_of

if TYPE_CHECKING:
    from comparator.services.inference_engine import InferenceEngine

AUTO = "auto"
LARGEST = 64  # answers at once; what llama.cpp keeps apart in one context by default
# On a processor each further answer shares the reading of the weights, until the arithmetic takes
# the time: from 8 to 16 both engines still gained a quarter or more (docs/batching.md). More would
# be more that an interrupted suite loses. A GPU reads far faster than it is asked to compute; for
# it the number is estimated, not measured.
MOST_ON_PROCESSOR, MOST_ON_DEVICE = 16, 32
ENGINES = (ModelType.GGUF, ModelType.PYTORCH)  # whose own engines write several at once
_COUNTED = 3  # of the prompts that look longest, whose tokens are counted
_TOKENS_A_LETTER = 0.25  # about; a digit, a sign, or a byte of another script is often one itself
_LETTERS = (string.ascii_letters + " ").encode()
_UNKNOWN_SPARE_TOKENS = 1024  # for a chat template, where nothing was counted
_MARGIN = 2.5  # how many times the tokens that it looks to have a text may have
_LONGEST_NUMBER = 4  # in digits; Python refuses to read those of thousands


@dataclass(frozen=True)
class BatchPlan:
    """How many answers are written at once.

    Attributes:
        size: how many; 1 is exact, the same as if each were asked by itself.
        context_tokens: the room of prompt and answer of each; None leaves it to the settings.
        notice: what a reader should know of it, a sentence; empty for nothing.
    """

    size: int = 1
    context_tokens: int | None = None
    notice: str = ""


def plan(
    engine: InferenceEngine,
    slot: Slot,
    conversations: Sequence[Conversation],
    wanted: str | int = AUTO,
) -> BatchPlan:
    """Return how many conversations one model answers at once.

    A child counts tokens: not for an event loop.

    Args:
        engine: knows what is free of memory.
        slot: the model and its settings.
        conversations: all that it is asked.
        wanted: ``auto``, or the most at once.

    Raises:
        ConfigurationError: ``wanted`` is neither.
    """
    number = checked(wanted)
    asked = min(_suiting(engine, slot) if number is None else number, len(conversations))
    if asked < 2:
        return BatchPlan()
    if slot.model.model_type not in ENGINES:
        return BatchPlan(asked)
    limit = _limit(slot.needed, slot)
    longest = longest_prompt(engine, slot, conversations)
    rooms = _Rooms(engine, slot, longest, limit)
    for size in range(asked, 1, -1):
        room = rooms.of(size)
        if room is not None:
            return BatchPlan(size, room, "" if size == asked else _lowered(size, asked))
    return BatchPlan(1, None, _lowered(1, asked))


def checked(wanted: str | int) -> int | None:
    """Return the most answers at once that are asked for; None for ``auto``.

    Raises:
        ConfigurationError: it is neither ``auto`` nor a number of answers.
    """
    if wanted == AUTO:
        return None
    is_number = isinstance(wanted, str) and wanted.isdecimal() and len(wanted) <= _LONGEST_NUMBER
    number = int(wanted) if is_number else wanted
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= LARGEST:
        raise ConfigurationError(
            f"The batch must be auto, or a number between 1 and {LARGEST}, not {wanted!r:.100}."
        )
    return number


def _suiting(engine: InferenceEngine, slot: Slot) -> int:
    """Return how many answers at once suit a model by its engine and where it goes."""
    if slot.model.model_type not in ENGINES:
        return 1
    is_on_device = engine.memory_manager.estimate(slot.model, slot.needed).device > 0
    return MOST_ON_DEVICE if is_on_device else MOST_ON_PROCESSOR


def longest_prompt(
    engine: InferenceEngine, slot: Slot, conversations: Sequence[Conversation]
) -> int:
    """Return how many tokens no prompt goes beyond.

    The texts that look longest in tokens are counted, and the shortest, which is a chat template
    and little more. A token of the others has a byte at least.
    """
    system = slot.config.system_prompt
    looks = [_Looks.of(one.with_system(system)) for one in conversations]
    looks.sort(key=lambda one: one.tokens, reverse=True)
    counted, rest = [*looks[:_COUNTED], looks[-1]], looks[_COUNTED:]
    sizes = engine.token_counts.of_all(slot, [one.conversation for one in counted])
    tokens = [size.tokens or 0 for size in sizes or ()]
    if not tokens or not all(tokens):
        return _UNKNOWN_SPARE_TOKENS + max(one.size for one in looks)
    if not rest:
        return max(tokens)
    times = max(count / one.tokens for count, one in zip(tokens, counted, strict=True))
    most = min(max(one.size for one in rest), int(_MARGIN * times * rest[0].tokens))
    return max(*tokens, tokens[-1] + most)


class _Looks(NamedTuple):
    """How long a conversation looks: its bytes, and the tokens that such a text has about."""

    conversation: Conversation
    size: int
    tokens: float

    @classmethod
    def of(cls, conversation: Conversation) -> _Looks:
        texts = (*(message.content for message in conversation.messages), conversation.begun)
        around = BYTES_AROUND_A_TURN * len(conversation.turns)
        data = "".join(texts).encode("utf-8", "replace")
        others = len(data.translate(None, _LETTERS))
        tokens = others + _TOKENS_A_LETTER * (len(data) - others + around)
        return cls(conversation, len(data) + around, max(1.0, tokens))


def _limit(config: ModelConfig, slot: Slot) -> int:
    """Return the most tokens of prompt and answer that the settings allow."""
    own = facts_of(slot.model).context_length
    if config.n_ctx is None:
        return own or USUAL_CONTEXT_TOKENS
    return min(config.n_ctx, own) if own else config.n_ctx


class _Rooms:
    """Finds what room each answer can have beside others."""

    def __init__(self, engine: InferenceEngine, slot: Slot, longest: int, limit: int) -> None:
        self._engine, self._slot, self._longest = engine, slot, longest
        most = slot.config.max_tokens
        self._wanted = limit if most is None else min(limit, _rounded(longest + most))
        # A context that is to be as large as fits need not be the model's own for each answer.
        is_open = slot.config.n_ctx is None and most is None
        self._least = (
            min(limit, _rounded(longest + USUAL_CONTEXT_TOKENS)) if is_open else self._wanted
        )

    def of(self, size: int) -> int | None:
        """Return the room of each of so many answers in tokens; None where there is too little."""
        if self._fits(size, self._wanted):
            return self._wanted
        if self._least == self._wanted or not self._fits(size, self._least):
            return None
        low, high = self._least // CONTEXT_STEP, self._wanted // CONTEXT_STEP
        while high - low > 1:
            middle = (low + high) // 2
            fits = self._fits(size, middle * CONTEXT_STEP)
            low, high = (middle, high) if fits else (low, middle)
        return low * CONTEXT_STEP

    def _fits(self, size: int, tokens: int) -> bool:
        manager, model = self._engine.memory_manager, self._slot.model
        config = replace(self._slot.needed, n_ctx=tokens)
        need = manager.estimate(model, config, min(self._longest, tokens), size)
        return manager.has_room(need)


def _rounded(tokens: int) -> int:
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP


def _lowered(size: int, asked: int) -> str:
    if size == 1:
        return (
            f"Answers are written one after another and not {asked} at once: memory has no room "
            "for the contexts of more. A smaller n_ctx or max_tokens takes less."
        )
    return (
        f"{size} answers are written at once and not {asked}: memory has no room for the contexts "
        "of more. A smaller n_ctx or max_tokens takes less."
    )
