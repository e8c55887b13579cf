"""Text from tokens: whole characters, each once, and all of them at the end."""

from __future__ import annotations

from typing import Any

import pytest

from runners.engines.pytorch.detokenizer import Detokenizer

TEXTS = ["hello world", "用一句话介绍人工智能。", "😀👩‍🚀 ünïcödé", "a  b\n\n\tc", "", "\ufffd x"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-level tokenizer in which every byte is a token."""
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.add_special_tokens(["<end>"])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")


class Slow:
    """The same tokenizer without its backend, as tokenizers in Python are."""

    def __init__(self, tokenizer: Any) -> None:
        self.decode = tokenizer.decode
        self.is_fast = False


def broken(token: int) -> str:
    """Stand in for a stream that fails, so that the slow way must take over."""
    raise ValueError("Invalid prefix encountered")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("way", ["stream", "window", "failing stream"])
def test_characters_are_whole(
    monkeypatch: pytest.MonkeyPatch, tokenizer: Any, text: str, way: str
) -> None:
    tokens = [*tokenizer.encode(text), tokenizer.eos_token_id]
    detokenizer = Detokenizer(Slow(tokenizer) if way == "window" else tokenizer)
    parts = []
    for count, token in enumerate(tokens):
        if way == "failing stream" and count == 5:
            monkeypatch.setattr(detokenizer, "_stream", broken)
        parts.append(detokenizer.feed(token))
    assert "".join(parts) + detokenizer.rest() == text
    has_failed = way == "failing stream" and len(tokens) > 5
    assert ("Invalid prefix encountered" in detokenizer.trouble) == has_failed
    assert bool(detokenizer.trouble) == has_failed
    if "\ufffd" not in text:
        assert all("\ufffd" not in part for part in parts)


def test_half_a_character_comes_at_the_end(tokenizer: Any) -> None:
    tokens = tokenizer.encode("a😀")[:-1]
    detokenizer = Detokenizer(tokenizer)
    parts = [detokenizer.feed(token) for token in tokens]
    assert "".join(parts) == "a"
    assert "a" + detokenizer.rest() == tokenizer.decode(tokens)
