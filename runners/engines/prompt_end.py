"""What the end of a prompt says of its answer: whether that begins inside a thought."""

from __future__ import annotations

from runners.engines.thinking import (
    CHANNEL,
    MESSAGE,
    THINKING_CHANNEL,
    ThoughtMarks,
    ThoughtSplitter,
)

_PROMPT_END = 400  # characters at the end of a prompt that are looked at


def opened_by(prompt: str, after_messages: str | None, marks: ThoughtMarks) -> ThoughtSplitter:
    """Return what splits the answer to a prompt, which may end in the opener of a thought.

    Args:
        prompt: as the model gets it.
        after_messages: what its template wrote behind all messages. None where that is not known,
            as in a text that a person wrote: there a mark counts only on a line of its own or
            after another mark.
        marks: what marks this model's thoughts.
    """
    is_sure = after_messages is not None
    end = (prompt if after_messages is None else after_messages)[-_PROMPT_END:].rstrip()
    for pair in marks.pairs:
        for opener in (pair.opener, pair.opener + pair.label):
            if _ends_in(opener, end, is_sure):
                return ThoughtSplitter(marks, pair)
    is_closed = any(_ends_in(closer, end, is_sure) for closer in marks.closers)
    splitter = ThoughtSplitter(marks, had_thought=is_closed)
    if _ends_in(CHANNEL + THINKING_CHANNEL + MESSAGE, end, is_sure):
        splitter.feed(CHANNEL + THINKING_CHANNEL + MESSAGE)
    return splitter


def _ends_in(mark: str, end: str, is_sure: bool) -> bool:
    if not mark or not end.endswith(mark):
        return False
    return is_sure or end[: -len(mark)].endswith(("\n", ">", "]"))
