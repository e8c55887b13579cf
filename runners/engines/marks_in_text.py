"""Marks in a text that comes in pieces: where one stands, and where one may yet come to stand."""

from __future__ import annotations

import functools
import re


class MarksInText:
    """Looks for marks in a text, and for what may become one."""

    def __init__(self, marks: tuple[str, ...]) -> None:
        self._marks = tuple(sorted(set(marks), key=len, reverse=True))
        self._longest = max(map(len, self._marks), default=0)
        self._pattern = re.compile("|".join(map(re.escape, self._marks)) or r"(?!)")
        firsts = "".join(re.escape(mark[0]) for mark in self._marks)
        self._first = re.compile(f"[{firsts}]" if firsts else r"(?!)")

    def begins(self, text: str) -> bool:
        """Tell whether a mark may begin in a text."""
        return self._first.search(text) is not None

    def first(self, text: str) -> tuple[int, str] | None:
        """Return where the first mark of a text stands, and which it is."""
        match = self._pattern.search(text)
        return (match.start(), match[0]) if match else None

    def at_start(self, text: str) -> str:
        """Return the mark that a text begins with, or nothing."""
        match = self._pattern.match(text)
        return match[0] if match else ""

    def may_become(self, text: str) -> bool:
        """Tell whether a text is the beginning of a mark."""
        return any(mark.startswith(text) for mark in self._marks)

    def certain(self, text: str) -> int:
        """Return how many characters of a text cannot be part of a mark that is not whole yet."""
        for match in self._first.finditer(text, max(0, len(text) - self._longest + 1)):
            if self.may_become(text[match.start() :]):
                return match.start()
        return len(text)


@functools.lru_cache(maxsize=64)
def marks_in_text(marks: tuple[str, ...]) -> MarksInText:
    """Return what looks for these marks, made once."""
    return MarksInText(marks)
