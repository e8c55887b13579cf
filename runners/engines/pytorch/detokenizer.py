"""From token ids to text, one token at a time, for tokenizers of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runners.engines.pytorch import adapter
from runners.engines.template_thoughts import marks_of
from runners.engines.thinking import ThoughtMarks

_INCOMPLETE = "\ufffd"
_SLOW = "Tokens are turned into text the slower way: the tokenizer has no quick one here ({})."


class Detokenizer:
    """Turns tokens into text; a character that spans tokens appears once and whole.

    What all calls return together equals the tokenizer's ``decode`` of all tokens. Where some are
    marks of thoughts, it is the marks' text and the ``decode`` of what stands between them.

    Attributes:
        trouble: why the quick way is not taken, a sentence; empty where it is.
    """

    def __init__(self, tokenizer: Any, marks: Mapping[int, str] | None = None) -> None:
        """Begin an answer; ``marks`` are the special tokens whose text is kept."""
        self._tokenizer = tokenizer
        self._marks = marks or {}
        self.trouble = ""
        self._begin()

    def _begin(self) -> None:
        """Begin a text, or what stands after a mark."""
        tokenizer = self._tokenizer
        self._tokens: list[int] = []
        self._shown: list[str] = []
        self._stream = adapter.stream_of(tokenizer)
        if self._stream is None and not adapter.is_in_python(tokenizer):
            self.trouble = _SLOW.format("it offers no stream")
        # Of the slow way: a window of tokens that begins at one already shown.
        self._window_start = self._shown_tokens = 0
        self._window_text = ""

    def feed(self, token: int) -> str:
        """Take a token and return the text that became readable, often none."""
        if token in self._marks:
            before = self.rest()
            self._begin()
            return before + self._marks[token]
        self._tokens.append(token)
        text = self._streamed(token) if self._stream is not None else self._compared()
        self._shown.append(text)
        return text

    def rest(self) -> str:
        """Return what is still to show, when no more tokens will come."""
        whole, shown = self._decode(self._tokens), "".join(self._shown)
        return whole[len(shown) :] if whole.startswith(shown) else ""

    def _streamed(self, token: int) -> str:
        try:
            return self._stream(token) or "" if self._stream else ""
        except Exception as error:  # a decoder that is not made for streams raises a bare one
            self.trouble = _SLOW.format(" ".join(str(error).split())[:120] or type(error).__name__)
            self._stream = None
            self._window_text = "".join(self._shown)
            return self._compared()

    def _compared(self) -> str:
        """Return by how much the newest tokens make the text of the window longer."""
        now = self._decode(self._tokens[self._window_start :])
        if now.endswith(_INCOMPLETE) or len(now) <= len(self._window_text):
            return ""
        text = now[len(self._window_text) :]
        self._window_start, self._shown_tokens = self._shown_tokens, len(self._tokens)
        self._window_text = self._decode(self._tokens[self._window_start :])
        return text

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text


def thought_marks(tokenizer: Any) -> tuple[ThoughtMarks, dict[int, str]]:
    """Return what marks the thoughts of a model, and the text of its special tokens that do."""
    template = getattr(tokenizer, "chat_template", None)
    texts = template.values() if isinstance(template, dict) else (template,)
    marks = marks_of("\n".join(text for text in texts if isinstance(text, str)))
    special = adapter.special_tokens(tokenizer) or {}
    kept = marks.known_by(adapter.added_tokens(tokenizer)).kept(special)
    return kept, {special[text]: text for text in kept.special}
