"""What a child tells of the prompt that its model is given."""

from __future__ import annotations

from collections.abc import Iterable

from comparator.core.text import without_surrogates
from runners import protocol
from runners.base import PromptTokens


def prompted(piece: PromptTokens, number: int, seconds: float) -> protocol.Prompted:
    """Make the message that says what the model is given."""
    return protocol.Prompted(
        seconds,
        piece.prompt_tokens,
        without_surrogates(piece.rendered_prompt),
        piece.template_source,
        answer=number,
        date=piece.date,
        notes=sentences(piece.notes),
        special=piece.special[: 2 * protocol.MOST_MARKS],
        first_token=without_surrogates(piece.first_token)[:200],
    )


def sentences(told: Iterable[object] | None) -> tuple[str, ...]:
    """Return what an inferencer says, as much of it as a message holds."""
    texts = [without_surrogates(str(sentence)) for sentence in told or ()]
    longest = protocol.LONGEST_SENTENCE
    return tuple(sentence[:longest] for sentence in texts[: protocol.MOST_SENTENCES])
