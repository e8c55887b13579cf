"""Where special tokens stand in a rendered prompt, for those who show it to people.

What a person typed is text, however much it looks like a special token (``typed_tokens``), so that
only what the template wrote around the messages is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from runners.engines.chat_prompt import RenderedPrompt

MOST = 8192  # as ``runners.protocol.MOST_MARKS``

# From texts to the special tokens that stand in them.
SpecialIn = Callable[[Sequence[str]], Sequence[str]]


def marks(rendered: RenderedPrompt, special_in: SpecialIn) -> tuple[int, ...]:
    """Return begin and end of each special token in a text, one after another.

    Where it is not known what the messages became, everything counts as the template's, as it does
    for the tokenizer.

    Args:
        rendered: the text.
        special_in: names the special tokens in texts.
    """
    if not rendered.is_chat:
        return ()
    frame = list(_frame(rendered))
    names = sorted(special_in([rendered.text[a:b] for a, b in frame]), key=len, reverse=True)
    if not names:
        return ()
    pattern = re.compile("|".join(map(re.escape, names)))
    places: list[int] = []
    for begin, end in frame:
        for match in pattern.finditer(rendered.text, begin, end):
            places += match.span()
    return tuple(places[: 2 * MOST])


def before(rendered: RenderedPrompt, first: str) -> str:
    """Return the first token's text where the tokenizer put it before the prompt's text.

    Args:
        rendered: the text.
        first: the first token where it is a special one; empty otherwise.
    """
    is_written = rendered.is_chat and rendered.text.startswith(first)
    return "" if is_written else first


def _frame(rendered: RenderedPrompt) -> Iterator[tuple[int, int]]:
    """Yield begin and end of what stands around the messages."""
    place = 0
    for span in sorted(rendered.spans or (), key=lambda span: (span.start, span.end)):
        if span.start > place:
            yield place, span.start
        place = max(place, span.end)
    if place < len(rendered.text):
        yield place, len(rendered.text)
