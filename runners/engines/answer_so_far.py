"""What was written of an answer, as far as it tells whether a mark in it is but a text.

An answer may talk of marks: in code, in quotes, or by naming what opens them. All of it is noted
as the text comes, in pieces of any size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# A fence, in a quotation or behind the mark of a list's item, and the rest of its line.
_FENCE = re.compile(r"[ \t>]*((?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}|~{3,})(.*)", re.DOTALL)
_TICKS = re.compile(r"`+|[^`]+")
_QUOTES = "`'\"“‘«"
_BEFORE_A_QUOTE = "([{=,:"


class AnswerSoFar:
    """Follows the lines of an answer, its pieces of code and the marks that it names.

    Attributes:
        named: marks that stand in it as text.
    """

    def __init__(self) -> None:
        self.named: set[str] = set()
        self._line: list[str] = []  # the pieces of the line that is not whole yet
        self._fence = ""  # what opened the block of code that is not closed
        self._code_ticks = self._ticks = 0  # that opened a piece of code; that stand at the end
        self._last = ""  # the last two characters

    def add(self, text: str) -> None:
        """Take in what is written next."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._line.append(line)
            self._end_line()
        if rest:
            self._line.append(rest)
            self._count_ticks(rest)
        self._last = (self._last + text)[-2:]

    @property
    def is_at_line_begin(self) -> bool:
        """Whether what comes next begins a line."""
        return self._last[-1:] in ("", "\n")

    def talks_of(self, openers: Iterable[str]) -> bool:
        """Tell whether a mark that comes next is but spoken of, and so are those that open it."""
        is_in_code = bool(self._fence) or self._after_ticks() > 0
        is_named = not self.named.isdisjoint(openers)
        return is_in_code or is_named or self._is_behind_opening_quote()

    def _is_behind_opening_quote(self) -> bool:
        before, quote = self._last[:-1], self._last[-1:]
        is_open = not before or before.isspace() or before in _BEFORE_A_QUOTE
        return quote != "" and quote in _QUOTES and is_open

    def _end_line(self) -> None:
        found = _FENCE.match("".join(self._line))
        self._line, self._code_ticks, self._ticks = [], 0, 0
        if found is None:
            return
        item, fence, rest = found.groups()
        if not self._fence:
            is_within_a_line = fence[0] == "`" and "`" in rest
            self._fence = "" if is_within_a_line else fence
        elif not item and fence.startswith(self._fence) and not rest.strip():
            self._fence = ""

    def _count_ticks(self, text: str) -> None:
        """Note which piece of code within a line is open: as many ticks close it as opened it."""
        for piece in _TICKS.findall(text):
            if piece[0] == "`":
                self._ticks += len(piece)
            else:
                self._code_ticks, self._ticks = self._after_ticks(), 0

    def _after_ticks(self) -> int:
        """Return how many ticks a piece of code is open with, if no further one follows."""
        if not self._code_ticks:
            return self._ticks
        return 0 if self._ticks == self._code_ticks else self._code_ticks
