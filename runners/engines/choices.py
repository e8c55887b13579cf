"""Answers that can only be one of a few texts: which tokens may come next.

A finite set of texts needs no grammar but its paths: each text as the tokens that the vocabulary
makes of it. Both engines choose by them the same way, the likeliest of what a path allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from comparator.core.exceptions import ConfigurationError

Number = TypeVar("Number", int, float)
MOST_CHOICES, LONGEST_CHOICE = 64, 200  # texts, and characters of one
_BEFORE = "\n"  # after which some vocabularies write a word without a space of their own


class Choices:
    """The paths of one answer, and how far it has come.

    Attributes:
        is_whole: whether the answer is one of the texts, and no longer one goes on from it.
    """

    def __init__(self, paths: Iterable[Sequence[int]], ends: Iterable[int] = ()) -> None:
        """Begin an answer.

        Args:
            paths: the texts as token ids.
            ends: token ids that end an answer, for a text with which a longer one begins.
        """
        self._paths = [tuple(path) for path in paths]
        self._ends = tuple(ends)
        self._place = 0
        self.is_whole = False

    def allowed(self) -> list[int]:
        """Return the token ids of which the next must be one."""
        left = [path[self._place :] for path in self._paths]
        following = {path[0] for path in left if path}
        return sorted(following.union(self._ends if () in left else ()))

    def likeliest(self, scores: Sequence[Number]) -> int:
        """Return the token with the highest score of those allowed; scores are in their order."""
        allowed = self.allowed()
        return allowed[max(range(len(allowed)), key=scores.__getitem__)]

    def take(self, token: int) -> None:
        """Go one token on."""
        place = self._place
        self._paths = [p for p in self._paths if len(p) > place and p[place] == token]
        self._place += 1
        self.is_whole = all(len(path) == self._place for path in self._paths)


def choices_of(
    texts: Sequence[str], tokens_of: Callable[[str], list[int]], ends: Iterable[int]
) -> Choices | None:
    """Return what an answer may be, ready for its first token; None for anything.

    Args:
        texts: what it may be; empty for anything.
        tokens_of: as for ``paths_of``.
        ends: token ids that end an answer.

    Raises:
        ConfigurationError: no answer could be held to these texts.
    """
    return Choices(paths_of(texts, tokens_of), ends) if texts else None


def paths_of(texts: Sequence[str], tokens_of: Callable[[str], list[int]]) -> list[list[int]]:
    """Return the paths of texts.

    Some vocabularies put a space before the first word of a text: the word behind a line's end
    is a path as well.

    Args:
        texts: what an answer may be.
        tokens_of: makes token ids of a text, without any that are not of it.

    Raises:
        ConfigurationError: there are too many, or one is empty or too long.
    """
    check(texts)
    before = tokens_of(_BEFORE)
    paths: list[list[int]] = []
    for text in texts:
        behind = tokens_of(_BEFORE + text)
        found = [tokens_of(text)]
        if behind[: len(before)] == before:
            found.append(behind[len(before) :])
        paths += [path for path in found if path and path not in paths]
    return paths


def check(texts: Sequence[str]) -> None:
    """Refuse choices that no answer could be held to.

    Raises:
        ConfigurationError: there are too many, or one is empty or too long.
    """
    if len(texts) > MOST_CHOICES:
        raise ConfigurationError(
            f"An answer may be one of up to {MOST_CHOICES} texts; {len(texts)} were given."
        )
    if not all(0 < len(text) <= LONGEST_CHOICE for text in texts):
        raise ConfigurationError(
            f"Each text that an answer may be has 1 to {LONGEST_CHOICE} characters."
        )
