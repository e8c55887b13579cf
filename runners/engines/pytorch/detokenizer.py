"""From token ids to text, one token at a time, for tokenizers of transformers."""

from __future__ import annotations

from typing import Any

_INCOMPLETE = "\ufffd"


class Detokenizer:
    """Turns tokens into text; a character that spans tokens appears once and whole.

    What all calls return together equals the tokenizer's ``decode`` of all tokens.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._shown: list[str] = []
        self._backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        self._stream: Any = _new_stream() if self._backend is not None else None
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
            return self._stream.step(self._backend, token) or ""
        except Exception:  # a decoder that is not made for streams; tokenizers raises a bare one
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


def _new_stream() -> Any:
    from tokenizers.decoders import DecodeStream

    return DecodeStream(skip_special_tokens=True)
