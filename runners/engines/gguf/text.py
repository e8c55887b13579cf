"""From token ids to text, for GGUF models: characters whole, and no further than a stop text."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Sequence

from runners.base import TokenText
from runners.engines.gguf.model import GGUFModel
from runners.engines.stop_strings import StopText


class GGUFText:
    """Turns the tokens of one answer into text, when it is asked for it.

    Attributes:
        may_end: whether a stop text is configured, so that every token may end the answer.
    """

    def __init__(self, model: GGUFModel, stops: Sequence[str]) -> None:
        self._model = model
        self._kept: list[tuple[int, float]] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = StopText(stops)
        self.may_end = bool(stops)

    @property
    def found(self) -> bool:
        """Whether a stop text was met."""
        return self._stops.found

    def keep(self, token: int) -> None:
        """Take a token that was chosen just now."""
        self._kept.append((token, time.monotonic()))

    def told(self) -> Iterator[TokenText]:
        """Yield every token that was kept since the last call, with its text."""
        kept, self._kept = self._kept, []
        for token, at in kept:
            yield TokenText(self._stops.feed(self._decoder.decode(self._model.piece(token))), at)

    def rest(self) -> str:
        """Return what is still to show, when no more tokens will come."""
        return self._stops.feed(self._decoder.decode(b"", True)) + self._stops.rest()
