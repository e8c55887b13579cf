"""Regular expressions, which may take for ever: with a limit of time, and of what they unroll to.

They run in this process, in a library that looks at the clock and lets other threads work
meanwhile. What it unrolls while it compiles has no such limit, so that is refused beforehand.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions.findings import AnswerFinding, quoted

LONGEST_SECONDS = 1.0  # of processor time
LONGEST_PATTERN = 2000  # characters
MOST_STEPS = 20_000  # what a pattern may come to when its repeats are written out: 6 MB
_FEW_STEPS = 1000  # hundreds of such patterns are kept at hand; of larger ones a handful

# A pattern that calls itself takes memory by the hundred megabytes until its time is up.
_CALLS = re.compile(r"\(\?(?:R|&|P>|[+-]?[0-9])")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
# In these neither the ends of sets nor what a repeat belongs to can be told by looking: free
# spacing, sets in sets, and names of sets.
_HARD = re.compile(r"\(\?[a-zA-Z0-9-]*(?:x|V1)|\[:")
_REPEAT = re.compile(r"\{\s*([0-9]*)\s*(?:,\s*([0-9]*)\s*)?\}")
_NOTHING = re.compile(r"\(\?(?:#[^)]*|[a-zA-Z0-9-]+)\)")  # a comment, or flags


class SearchTooLong(Exception):
    """A search was ended by its limit of time."""


def compiled(pattern: str) -> Any:
    """Return a regular expression that can be searched for.

    Raises:
        ConfigurationError: it is none, or larger than any honest one; without a place.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise ConfigurationError(
            f"the regular expression has {len(pattern)} characters; the limit is {LONGEST_PATTERN}"
        )
    if _CALLS.search(_ESCAPED.sub("__", pattern)):
        raise ConfigurationError("the regular expression calls itself, which is not known here")
    steps = _steps(pattern)
    if steps > MOST_STEPS:
        raise ConfigurationError(
            f"the repeats of the regular expression come to more than {MOST_STEPS} steps when they "
            "are written out; use smaller numbers, or + and *"
        )
    return _compiled(pattern) if steps <= _FEW_STEPS else _compiled_large(pattern)


def make_ready() -> None:
    """Import the library."""
    import regex  # noqa: F401


@functools.lru_cache(maxsize=250)
def _compiled(pattern: str) -> Any:
    import regex

    try:
        return regex.compile(pattern, cache_pattern=False)
    except regex.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise ConfigurationError(f"the regular expression is wrong{where}: {error.msg}") from None
    except (RecursionError, MemoryError, OverflowError, ValueError) as error:
        why = str(error) or type(error).__name__
        raise ConfigurationError(f"the regular expression cannot be used: {why}") from None


@functools.lru_cache(maxsize=8)
def _compiled_large(pattern: str) -> Any:
    return _compiled.__wrapped__(pattern)


def found(pattern: str, text: str, seconds: float | None = None) -> str | None:
    """Return the first text that matches; None where nothing does.

    Args:
        pattern: the regular expression.
        text: where it is searched for.
        seconds: of processor time that it may take; ``LONGEST_SECONDS`` by default.

    Raises:
        TooLong: the search took longer than it may.
        ConfigurationError: it is no regular expression.
    """
    limit = LONGEST_SECONDS if seconds is None else seconds
    try:
        match = compiled(pattern).search(text, timeout=limit, concurrent=True)
    except (TimeoutError, MemoryError):
        raise SearchTooLong from None
    return None if match is None else str(match.group())


def matches(answer: str, pattern: str) -> AnswerFinding:
    """Whether a regular expression matches somewhere in an answer."""
    try:
        text = found(pattern, answer)
    except SearchTooLong:
        return AnswerFinding(
            None,
            f"The search for {quoted(pattern)} was ended after {LONGEST_SECONDS:g} s of "
            "processor time: this regular expression may try for ever. Write it without repeats "
            "inside repeats.",
        )
    if text is None:
        return AnswerFinding(False, f"Nothing in the answer matches {quoted(pattern)}.")
    return AnswerFinding(True, f"{quoted(text)} in the answer matches {quoted(pattern)}.")


def _steps(pattern: str) -> int:
    """Return at most how many steps a pattern comes to when its counted repeats are written out.

    A repeat counts by its largest number, and multiplies what the group before it comes to; where
    that cannot be told, all that there is.
    """
    if _HARD.search(pattern):
        return len(pattern) * math.prod(map(_largest, _REPEAT.findall(pattern)))
    sizes, last, place = [0], 1, 0
    while place < len(pattern):
        letter, step = pattern[place], 1
        if letter == "(" and (nothing := _NOTHING.match(pattern, place)):
            step = len(nothing[0])  # what follows repeats what is before it
        elif letter == "(":
            sizes.append(0)
        elif letter == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        elif letter == "{" and (count := _count(pattern, place)):
            step = count[1]
            sizes[-1] += last * (count[0] - 1)
            last *= count[0]
        else:
            step = 2 if letter == "\\" else _class_length(pattern, place)
            last = 1
            sizes[-1] += last
        place += step
    return sum(sizes)


def _count(pattern: str, place: int) -> tuple[int, int] | None:
    """Return the largest number of ``{n}``, ``{n,}`` or ``{n,m}`` here, and its length."""
    end = pattern.find("}", place)
    parts = pattern[place + 1 : end].split(",") if end > 0 else []
    if not 1 <= len(parts) <= 2 or not any(parts):
        return None
    if not all(part.isascii() and (part.isdigit() or not part) for part in parts):
        return None
    return _largest(parts), end + 1 - place


def _largest(numbers: Iterable[str]) -> int:
    """Return the largest of the numbers of a repeat; at least 1."""
    return max(1, *(int(one or 0) if len(one) < 10 else 10**9 for one in numbers))


def _class_length(pattern: str, place: int) -> int:
    """Return the length of a set of characters that begins here; 1 for anything else."""
    if pattern[place] != "[":
        return 1
    end = place + 2 if pattern[place + 1 : place + 2] in ("]", "^") else place + 1
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1 - place
