"""Tokens that a file names are looked up only where its vocabulary has them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runners.engines.gguf.prompt import _named_tokens

VOCABULARY = ("<s>", "</s>", "<mask>")


def model(told: dict[str, str], start: int = 0) -> Any:
    """Return what stands in for a file; a token beyond its vocabulary ends a real process."""

    def number_of(number: int) -> Any:
        return lambda _vocabulary: number

    names = {"bos": start, "eos": 1, "pad": -1, "sep": -1}
    return SimpleNamespace(
        llama=SimpleNamespace(**{f"llama_vocab_{name}": number_of(n) for name, n in names.items()}),
        vocabulary=None,
        vocabulary_size=len(VOCABULARY),
        metadata=lambda key: told.get(key.removeprefix("tokenizer.ggml.")),
        token_text=lambda token: dict(enumerate(VOCABULARY))[token],
    )


def test_they_are_told_by_name() -> None:
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}
    assert _named_tokens(model({"mask_token_id": "2"})) == tokens


@pytest.mark.parametrize("key", ["mask_token_id", "unknown_token_id"])
@pytest.mark.parametrize("number", ["3", "4294967295", "-1", "", "x", "1.5", "²", "9" * 5000])
def test_what_is_beyond_the_vocabulary_is_not_looked_up(key: str, number: str) -> None:
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    assert _named_tokens(model({key: number})) == tokens


def test_nor_what_llama_cpp_itself_tells() -> None:
    assert _named_tokens(model({}, start=3)) == {"eos_token": "</s>"}
