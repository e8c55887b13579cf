"""From token ids to text, for GGUF models: characters whole, and no further than a stop text."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Mapping, Sequence

from runners.base import TokenText
from runners.engines.gguf.model import GGUFModel
from runners.engines.stop_strings import StopText
from runners.engines.template_thoughts import marks_of
from runners.engines.thinking import CHANNELS, ThoughtMarks

TEMPLATE_KEY = "tokenizer.chat_template"


class GGUFText:
    """Turns the tokens of one answer into text, when it is asked for it.

    Attributes:
        may_end: whether a stop text is configured, so that every token may end the answer.
    """

    def __init__(
        self, model: GGUFModel, stops: Sequence[str], marks: Mapping[int, bytes] | None = None
    ) -> None:
        """Begin an answer; ``marks`` are the control tokens whose text is kept."""
        self._model = model
        self._marks = marks or {}
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
            piece = self._marks.get(token) or self._model.piece(token)
            yield TokenText(self._stops.feed(self._decoder.decode(piece)), at)

    def rest(self) -> str:
        """Return what is still to show, when no more tokens will come."""
        return self._stops.feed(self._decoder.decode(b"", True)) + self._stops.rest()


def thought_marks(model: GGUFModel) -> tuple[ThoughtMarks, dict[int, bytes]]:
    """Return what marks the thoughts of a model, and the text of its tokens that do.

    Of control tokens llama.cpp gives no text; here that of these alone is wanted. Those that mark
    gpt-oss's channels it makes ordinary ones, which they are not.
    """
    marks = marks_of(model.metadata(TEMPLATE_KEY))
    hidden, there = {}, set()
    for text in marks.texts:
        ids = model.tokens(text, add_special=False, special=True)
        if len(ids) != 1:
            continue
        there.add(text)
        if text in CHANNELS or not model.piece(ids[0]):
            hidden[ids[0]] = text
    kept = marks.known_by(there).kept(hidden.values())
    texts = {token: text.encode() for token, text in hidden.items() if text in kept.special}
    return kept, texts
