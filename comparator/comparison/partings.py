"""Where two texts part: the first word that differs."""

from __future__ import annotations

import re
from dataclasses import dataclass

_EXCERPT_CHARACTERS = 40
_WORD, _WORD_AT_END = re.compile(r"\S+"), re.compile(r"\S*\Z")


@dataclass(frozen=True)
class Parting:
    """The place from which two texts differ.

    Attributes:
        word: the number of the first word that differs, counted from 1.
        offset: how many characters are the same before it.
        first: what the first text goes on with, from the begin of that word; may be empty.
        second: the same of the second.
    """

    word: int
    offset: int
    first: str
    second: str


def parting(first: str, second: str) -> Parting | None:
    """Return where two texts part; None where they are the same."""
    if first == second:
        return None
    offset = common_length(first, second)
    ends_there = all(not text[offset : offset + 1].strip() for text in (first, second))
    unfinished = None if ends_there else _WORD_AT_END.search(first[:offset])
    begin = unfinished.start() if unfinished else offset
    word = len(_WORD.findall(first[:begin])) + 1
    return Parting(word, offset, _excerpt(first, begin), _excerpt(second, begin))


def common_length(first: str, second: str) -> int:
    """Return how many characters two texts have in common from their begin."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(first), len(second)))


def _excerpt(text: str, begin: int) -> str:
    rest = text[begin : begin + _EXCERPT_CHARACTERS]
    return rest + "…" if len(text) > begin + _EXCERPT_CHARACTERS else rest
