"""Which slots a prompt is too long for, known before any model is loaded.

A prompt that is far below its context is never counted, so that ordinary questions cost nothing.
"""

from __future__ import annotations

from dataclasses import replace

from comparator.comparison.request import Request, Slot
from comparator.core.config import USUAL_CONTEXT_TOKENS
from comparator.core.conversation import BYTES_AROUND_A_TURN
from comparator.library.facts.lookup import facts_of
from comparator.services.token_counts import ModelPromptSize, TokenCounts

_SPARE_TOKENS = 256  # for what a chat template writes around a question


def may_be_too_long(request: Request, slot: Slot) -> bool:
    """Tell without a tokenizer whether a prompt might not fit; a token is at least one byte."""
    asked = request.asked(slot)
    size = sum(len(one.content.encode("utf-8", "replace")) for one in asked.messages)
    size += BYTES_AROUND_A_TURN * len(asked.turns)
    own = facts_of(slot.model).context_length
    context = slot.config.n_ctx or own or USUAL_CONTEXT_TOKENS
    return size > min(context, own or context) // 2 - _SPARE_TOKENS


def sizes(counts: TokenCounts, request: Request) -> list[ModelPromptSize | None]:
    """Return for each slot how long its prompt is; None where it is short, or nobody can tell.

    Not for an event loop: a child reads the vocabulary where it was not asked before.
    """
    return [
        counts.of(replace(request, slots=[slot]))[0] if may_be_too_long(request, slot) else None
        for slot in request.slots
    ]


def refusals(counts: TokenCounts, request: Request) -> list[str | None]:
    """Return for each slot why its prompt cannot be answered, as far as that is known by now."""
    return [size.refusal or None if size else None for size in counts.known(request)]
