"""What the end of a prompt says of its answer: whether that begins inside a thought."""

from __future__ import annotations

from runners.engines.thinking import (
    CHANNEL,
    MESSAGE,
    THINKING_CHANNEL,
    Pair,
    ThoughtMarks,
    ThoughtSplitter,
)

_PROMPT_END = 400  # characters at the end of a prompt that are looked at
_THINKING = CHANNEL + THINKING_CHANNEL + MESSAGE


def opened_by(prompt: str, after_messages: str | None, marks: ThoughtMarks) -> ThoughtSplitter:
    """Return what splits the answer to a prompt, which may end in the opener of a thought.

    Args:
        prompt: as the model gets it.
        after_messages: what its template wrote behind all messages. None where that is not known,
            as in a text that a person wrote: there a mark counts only on a line of its own or
            after another mark.
        marks: what marks this model's thoughts.
    """
    pair = opened_pair(prompt, after_messages, marks)
    if pair is not None:
        return ThoughtSplitter(marks, pair)
    end, is_sure = end_of(prompt, after_messages).rstrip(), after_messages is not None
    is_closed = any(_ends_in(closer, end, is_sure) for closer in marks.closers)
    splitter = ThoughtSplitter(marks, had_thought=is_closed)
    if ends_in_channel(prompt, after_messages):
        splitter.feed(_THINKING)
    return splitter


def opened_pair(prompt: str, after_messages: str | None, marks: ThoughtMarks) -> Pair | None:
    """Return the pair whose opener ends a prompt; None where none does."""
    end, is_sure = end_of(prompt, after_messages).rstrip(), after_messages is not None
    for pair in marks.pairs:
        for opener in (pair.opener, pair.opener + pair.label):
            if _ends_in(opener, end, is_sure):
                return pair
    return None


def ends_in_channel(prompt: str, after_messages: str | None) -> bool:
    """Tell whether a prompt ends where the channel of a thought begins (gpt-oss)."""
    end = end_of(prompt, after_messages).rstrip()
    return _ends_in(_THINKING, end, after_messages is not None)


def end_of(prompt: str, after_messages: str | None) -> str:
    """Return as much of a prompt's end as is looked at."""
    return (prompt if after_messages is None else after_messages)[-_PROMPT_END:]


def _ends_in(mark: str, end: str, is_sure: bool) -> bool:
    if not mark or not end.endswith(mark):
        return False
    return is_sure or end[: -len(mark)].endswith(("\n", ">", "]"))
