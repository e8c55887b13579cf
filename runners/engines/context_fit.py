"""Whether a prompt fits the context of a model: the rule that both engines share."""

from __future__ import annotations

from collections.abc import Sequence

from comparator.core.config import USUAL_CONTEXT_TOKENS, ModelConfig
from comparator.core.conversation import BYTES_AROUND_A_TURN, Conversation
from comparator.core.exceptions import PromptTooLongError

_LARGEST_SURE_CONTEXT_TOKENS = 4096


def surely_fits(conversation: Conversation, context: int | None) -> bool:
    """Tell without a tokenizer whether a conversation is far below a context in tokens.

    A token is at least one byte of UTF-8; half of the context is left for the template. The
    model's own limit is not known here, so larger contexts count as 4096 tokens.
    """
    texts = (*(message.content for message in conversation.messages), conversation.begun)
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    size += BYTES_AROUND_A_TURN * (len(conversation.turns) - 1)
    sure = min(context or USUAL_CONTEXT_TOKENS, _LARGEST_SURE_CONTEXT_TOKENS)
    return size <= sure // 2 - 256


def check_fits(tokens: Sequence[int], name: str, wanted: int | None, own_limit: int | None) -> None:
    """Refuse a prompt that leaves no room for one token of answer.

    Args:
        tokens: the prompt.
        name: what a person calls the model.
        wanted: the configured context (n_ctx) in tokens, None for the model's own.
        own_limit: the longest context that the model was made for, None where unknown.

    Raises:
        PromptTooLongError: with both numbers and which limit it is.
    """
    limit = context_limit(wanted, own_limit)
    if len(tokens) < limit:
        return
    if own_limit is not None and own_limit <= limit:
        advice = "Shorten it: this is the model's own limit, raising n_ctx does not help."
    else:
        most = f" (up to {own_limit} for this model)" if own_limit else ""
        advice = f"Shorten it or raise the context (n_ctx){most}."
    room = " and needs room for the answer" if len(tokens) == limit else ""
    raise PromptTooLongError(
        f"The prompt has {len(tokens)} tokens; {name} takes {limit}{room}. {advice}"
    )


def context_limit(wanted: int | None, own_limit: int | None) -> int:
    """Return the tokens that prompt and answer may use together.

    Where none is wanted it is the model's own limit; what memory has room for was decided before
    (``comparator.memory.context``).
    """
    if wanted is None:
        return own_limit or USUAL_CONTEXT_TOKENS
    return min(wanted, own_limit) if own_limit else wanted


def most_tokens(settings: ModelConfig, room: int) -> int:
    """Return how many tokens an answer may have where the context has room for so many."""
    return room if settings.max_tokens is None else min(settings.max_tokens, room)
