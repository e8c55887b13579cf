"""Which words differ between two answers."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

# Words with the blanks behind them (as words of their own these would match everywhere, which takes
# long); where words are not separated, each letter.
_LETTERS = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORDS = re.compile(f"[{_LETTERS}]|[^\\W{_LETTERS}]+\\s*|[^\\w\\s]\\s*|\\s+")
MOST_WORDS = 3000  # of each answer
MOST_LIKENESSES = 300_000  # of a word of one answer with one of the other: comparing goes by these
LEAST_ALIKE = 0.1  # of all words; answers that have less in common are better read one by one
_SHOWN_AROUND = 12  # words of what both have, before and after a difference

WordRunKind = Literal["same", "left", "right", "gap"]


class WordRun(NamedTuple):
    """A run of words: in both answers, in one of them, or left out because both have it."""

    kind: WordRunKind
    text: str


def pieces_of(left: str, right: str) -> list[WordRun] | None:
    """Return how two answers differ, word by word.

    None where that would tell nobody anything: they have next to nothing in common, or are too
    long to compare.
    """
    a, b = _WORDS.findall(left), _WORDS.findall(right)
    if max(len(a), len(b)) > MOST_WORDS or _likenesses(a, b) > MOST_LIKENESSES:
        return None
    found = difflib.SequenceMatcher(None, a, b, autojunk=False)
    blocks = found.get_opcodes()
    shared = sum(_count(a[a0:a1]) for kind, a0, a1, *_ in blocks if kind == "equal")
    if not shared or 2 * shared < LEAST_ALIKE * (_count(a) + _count(b)):
        return None
    return [piece for block in blocks for piece in _pieces(a, b, *block)]


def _likenesses(a: Sequence[str], b: Sequence[str]) -> int:
    counts = Counter(b)
    return sum(counts[word] for word in a)


def _count(words: Sequence[str]) -> int:
    """Return how many are words; blanks between them say nothing."""
    return sum(not word.isspace() for word in words)


def _pieces(
    a: Sequence[str], b: Sequence[str], kind: str, a0: int, a1: int, b0: int, b1: int
) -> Iterator[WordRun]:
    if kind == "equal":
        yield from _shortened(a, a0, a1)
        return
    if a1 > a0:
        yield WordRun("left", "".join(a[a0:a1]))
    if b1 > b0:
        yield WordRun("right", "".join(b[b0:b1]))


def _shortened(words: Sequence[str], begin: int, end: int) -> Iterator[WordRun]:
    """Yield what both have, its middle left out where that is long."""
    first, last = begin + _SHOWN_AROUND, end - _SHOWN_AROUND
    if last - first <= _SHOWN_AROUND:
        yield WordRun("same", "".join(words[begin:end]))
        return
    yield WordRun("same", "".join(words[begin:first]) if begin else "")
    yield WordRun("gap", "…")
    yield WordRun("same", "".join(words[last:end]) if end < len(words) else "")
