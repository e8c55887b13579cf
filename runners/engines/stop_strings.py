"""Stop strings: ends an answer at a text, also when the text comes in parts."""

from __future__ import annotations

from collections.abc import Sequence


class StopText:
    """Passes text on and holds back only what may be the beginning of a stop string.

    Attributes:
        found: True once a stop string was met; all later text is dropped.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """Take text and return what may be shown of it; sets ``found`` at a stop string."""
        if self.found:
            return ""
        if not self._stops:
            return text
        held = self._held + text
        ends = [at for at in map(held.find, self._stops) if at >= 0]
        if ends:
            self.found, self._held = True, ""
            return held[: min(ends)]
        keep = max(_overlap(held, stop) for stop in self._stops)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]

    def rest(self) -> str:
        """Return what was held back, when no more text will come."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of the text that begins the stop string."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
