"""A tokenizer's class and its tokenizer.json are held against each other on the prompt in hand.

Each known trap of versions has a test here, which runs with the lowest and the newest, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import model_files
import pytest

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from runners.engines.pytorch import adapter, loading
from runners.engines.pytorch.inferencer import PyTorchInferencer
from runners.engines.pytorch.tokenizer_file import TokenizerFile, _head

TEXT = "ab 123 aB"
MERGES = (("1", "2"), ("12", "3"), ("a", "b"))
MODEL_TYPES = {"GPT2Tokenizer": "gpt2", "Qwen2Tokenizer": "qwen2"}
OVER_THE_SIZE = 100_001  # transformers mends the pattern of vocabularies over 100 000


def rules(*first: Any) -> Any:
    """Return how words are cut: by what is given, and then into the bytes of a byte-level BPE."""
    from tokenizers import pre_tokenizers

    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not first)
    return pre_tokenizers.Sequence([*first, whole]) if first else whole


def single_digits() -> Any:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def write(
    folder: Path, pre_tokenizer: Any, kind: str, *, words: int = 0, **settings: Any
) -> tuple[Path, Any]:
    """Write a tokenizer's files; return the folder, and what transformers makes of it."""
    from tokenizers import Tokenizer, decoders, models

    names = [*model_files.letters(), *(a + b for a, b in MERGES), *(f"w{n}" for n in range(words))]
    backend = Tokenizer(models.BPE({name: n for n, name in enumerate(names)}, list(MERGES)))
    backend.pre_tokenizer, backend.decoder = pre_tokenizer, decoders.ByteLevel()
    backend.add_special_tokens(list(model_files.SPECIAL))
    folder.mkdir(exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    named = dict(zip(("bos_token", "eos_token", "unk_token"), model_files.SPECIAL, strict=True))
    content = {"tokenizer_class": kind, **named, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    family = MODEL_TYPES.get(kind, "mistral")
    (folder / "config.json").write_text(
        json.dumps({"model_type": family, "transformers_version": "4.50.0"})
    )
    return folder, loading.load_tokenizer(str(folder), False)


def said(made: tuple[Path, Any], text: str = TEXT) -> tuple[str, ...]:
    folder, tokenizer = made
    return TokenizerFile(str(folder), tokenizer).sentences(text)


def test_nothing_is_said_where_they_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are the same, so the whole file is not even loaded."""
    made = write(tmp_path / "m", rules(), "GPT2Tokenizer")
    monkeypatch.setattr(adapter, "tokenizer_of_file", lambda _path: pytest.fail("was loaded"))
    assert said(made) == ()


def test_digits_that_a_class_no_longer_splits_are_said(tmp_path: Path) -> None:
    folder, tokenizer = made = write(tmp_path / "m", single_digits(), "GPT2Tokenizer")
    ours = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    whole = adapter.tokenizer_of_file(str(folder / "tokenizer.json"))
    theirs = whole.encode(TEXT, add_special_tokens=False).ids
    (sentence,) = said(made)
    assert "GPT2Tokenizer and the model's tokenizer.json read this prompt differently" in sentence
    assert f"as {len(ours)} and {len(theirs)} tokens, which part at the 3. one" in sentence
    assert said(made, "ab a") == (), "this prompt is read alike"


def test_the_advice_makes_them_agree(tmp_path: Path) -> None:
    """What the sentence says to write into tokenizer_config.json."""
    folder, tokenizer = made = write(tmp_path / "m", single_digits(), "PreTrainedTokenizerFast")
    whole = adapter.tokenizer_of_file(str(folder / "tokenizer.json"))
    theirs = whole.encode(TEXT, add_special_tokens=False).ids
    assert tokenizer(TEXT, add_special_tokens=False)["input_ids"] == theirs
    assert said(made) == ()


def test_digits_that_only_a_class_splits_are_said(tmp_path: Path) -> None:
    (sentence,) = said(write(tmp_path / "m", rules(), "Qwen2Tokenizer"))
    assert "Qwen2Tokenizer and the model's tokenizer.json read this prompt differently" in sentence


def test_a_pattern_that_transformers_calls_wrong_is_said(tmp_path: Path) -> None:
    from tokenizers import Regex, pre_tokenizers

    cut = rules(pre_tokenizers.Split(Regex(r"\w+|\W"), behavior="isolated"))
    kind = "PreTrainedTokenizerFast"
    made = write(tmp_path / "m", cut, kind, words=OVER_THE_SIZE)
    (sentence,) = said(made)
    assert "a pattern that transformers calls wrong" in sentence
    assert "Set fix_mistral_regex to true in tokenizer_config.json" in sentence
    assert said(made, "a-b") == (), "this prompt is read alike"
    folder, _tokenizer = made
    model_files.change_json(folder / "tokenizer_config.json", fix_mistral_regex=True)
    (sentence,) = said((folder, loading.load_tokenizer(str(folder), False)))
    assert "read this prompt differently" in sentence
    assert "what fix_mistral_regex in tokenizer_config.json asks for" in sentence


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "Lowercase"}},
        {"added_tokens": []},
        {"pre_tokenizer": None},
    ],
)
def test_the_begin_of_the_file_tells_other_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    folder, tokenizer = write(tmp_path / "m", rules(), "PreTrainedTokenizerFast")
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    loaded: list[str] = []
    monkeypatch.setattr(adapter, "tokenizer_of_file", loaded.append)
    TokenizerFile(str(folder), tokenizer).sentences(TEXT)
    assert loaded == [str(path)]


def test_the_begin_of_a_file_is_read_also_where_it_is_long(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    head = {"added_tokens": [{"content": "é" * 200_000}], "pre_tokenizer": {"type": "Digits"}}
    model = {"type": "BPE", "unk_token": None, "vocab": {}, "merges": []}
    path.write_text(json.dumps({**head, "model": model}, ensure_ascii=False), encoding="utf-8")
    assert _head(path) == {**head, "model": {"type": "BPE", "unk_token": None}}
    for damaged in ("", "[]", '{"a": ', '{"a": "' + "x" * 200_000, "{" * 100_000):
        path.write_text(damaged)
        assert _head(path) is None


def test_what_is_said_comes_with_the_prompt(tmp_path: Path) -> None:
    folder, tokenizer = write(tmp_path / "m", single_digits(), "GPT2Tokenizer")
    inferencer = PyTorchInferencer()
    inferencer.tokenizer = tokenizer
    inferencer._file = TokenizerFile(str(folder), tokenizer)
    inferencer._model_config = loading.load_config(str(folder), False)
    prepared = inferencer._make_prompt(Conversation.of(TEXT), ModelConfig())
    assert [note for note in prepared.notes if "tokenizer.json" in note]
