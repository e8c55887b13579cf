"""From token ids to text, one token at a time, for tokenizers of transformers."""

from __future__ import annotations

from typing import Any

from runners.engines.pytorch import adapter

_INCOMPLETE = "\ufffd"
_SLOW = "Tokens are turned into text the slower way: the tokenizer has no quick one here ({})."


class Detokenizer:
    """Turns tokens into text; a character that spans tokens appears once and whole.

    What all calls return together equals the tokenizer's ``decode`` of all tokens.

    Attributes:
        trouble: why the quick way is not taken, a sentence; empty where it is.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._shown: list[str] = []
        self._stream = adapter.stream_of(tokenizer)
        self.trouble = ""
        if self._stream is None and not adapter.is_in_python(tokenizer):
            self.trouble = _SLOW.format("it offers no stream")
        # Of the slow way: a window of tokens that begins at one already shown.
        self._window_start = self._shown_tokens = 0
        self._window_text = ""

    def feed(self, token: int) -> str:
        """Take a token and return the text that became readable, often none."""
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
