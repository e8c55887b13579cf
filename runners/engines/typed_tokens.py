"""Control tokens that a person types in a message: they are text, in both engines.

A tokenizer that is given a whole rendered chat cannot know which ``<|im_end|>`` the template
wrote and which one the user did. Where a prompt's parts are known, it is cut around those that
were typed, and they are tokenised as the characters that they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from runners.engines.chat_prompt import RenderedPrompt

_MOST_NAMED, _LONGEST_NAME = 3, 40
# Put before a piece and taken away again: some tokenizers begin a text with a space of their own.
_BEFORE = "\n"

Encode = Callable[[str, bool], list[int]]  # a text, and whether control tokens in it are tokens


def typed_in(texts: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return those control tokens that stand in messages, the longest first."""
    said = "\0".join(texts)
    return sorted((name for name in names if name and name in said), key=len, reverse=True)


def chat_tokens(rendered: RenderedPrompt, typed: Sequence[str], encode: Encode) -> list[int]:
    """Return the tokens of a rendered chat in which typed control tokens are text.

    Without any, or where it is not known what was typed, it is tokenised in one piece. The begin
    of an answer is a piece of its own, as it was when the model wrote it, and all of it is text.
    """
    tokens = _asked_tokens(rendered, typed, encode)
    if not rendered.begun:
        return tokens
    return [*tokens, *_within(rendered.begun, True, encode)]


def _asked_tokens(rendered: RenderedPrompt, typed: Sequence[str], encode: Encode) -> list[int]:
    if not typed or rendered.spans is None:
        return encode(rendered.asked, True)
    tokens: list[int] = []
    for piece, is_typed in _pieces(rendered, typed):
        tokens += _within(piece, is_typed, encode) if tokens else encode(piece, not is_typed)
    return tokens


def sentence(rendered: RenderedPrompt, typed: Sequence[str]) -> tuple[str, ...]:
    """Return what is to be said of typed control tokens; nothing where there are none."""
    if not typed:
        return ()
    names = ", ".join(name[:_LONGEST_NAME] for name in typed[:_MOST_NAMED])
    said = f"Control tokens typed in a message ({names}) were given to the model as "
    if rendered.is_chat and rendered.spans is None:
        why = "since its chat template changes the messages, and they cannot be told apart"
        return (f"{said}tokens, {why}.",)
    return (f"{said}the characters that they are.",)


def _pieces(rendered: RenderedPrompt, typed: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield a prompt cut around what was typed, and whether a piece is that."""
    pattern = re.compile("|".join(map(re.escape, typed)))
    text, place = rendered.asked, 0
    for span in rendered.spans or ():
        for match in pattern.finditer(text, span.start, span.end):
            if match.start() > place:
                yield text[place : match.start()], False
            yield match.group(), True
            place = match.end()
    if place < len(text):
        yield text[place:], False


def _within(piece: str, is_typed: bool, encode: Encode) -> list[int]:
    """Return the tokens of a piece as they are inside a text, not at its begin."""
    before = encode(_BEFORE, False)
    tokens = encode(_BEFORE + piece, not is_typed)
    if tokens[: len(before)] == before:
        return tokens[len(before) :]
    return encode(piece, not is_typed)
