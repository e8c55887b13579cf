"""Of special tokens the text of those that mark thoughts is kept, in both engines, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import model_files
import pytest

from runners.engines.gguf.model import GGUFModel
from runners.engines.gguf.text import GGUFText
from runners.engines.gguf.text import thought_marks as marks_of_file
from runners.engines.pytorch import detokenizer, loading
from runners.engines.thinking import CHANNELS, ThoughtSplitter

FINAL = ("<|start|>", *"assistant", "<|channel|>", *"final", "<|message|>")
GPT_OSS = ("<|channel|>", *"analysis", "<|message|>", *"x é", "<|end|>", *FINAL, "y")
GEMMA = ("<|channel>", *"thought\n", "x", "<channel|>", "y", "<unk>", "z")


def ids_of(tokens: Sequence[str], special: Sequence[str]) -> list[int]:
    ids = []
    for text in tokens:
        is_special = text in special
        ids += [model_files.BYTES + special.index(text)] if is_special else text.encode()
    return ids


def in_gguf(
    folder: Path, special: Sequence[str], tokens: Sequence[str], template: str
) -> Iterator[str]:
    path = model_files.write_gguf(folder / "m.gguf", special=special, template=template)
    model = GGUFModel.load(str(path), vocabulary_only=True)
    try:
        marks, kept = marks_of_file(model)
        text, splitter = GGUFText(model, (), kept), ThoughtSplitter(marks)
        for token in ids_of(tokens, special):
            text.keep(token)
        parts = [splitter.feed(piece.text) for piece in text.told()]
        parts += [splitter.feed(text.rest()), splitter.rest()]
    finally:
        model.close()
    yield "".join(part.thought for part in parts)
    yield "".join(part.answer for part in parts)


def in_pytorch(
    folder: Path, special: Sequence[str], tokens: Sequence[str], template: str
) -> Iterator[str]:
    model_files.write_tokenizer(folder, special=special, template=template)
    tokenizer = loading.load_tokenizer(str(folder), False)
    marks, kept = detokenizer.thought_marks(tokenizer)
    text, splitter = detokenizer.Detokenizer(tokenizer, kept), ThoughtSplitter(marks)
    parts = [splitter.feed(text.feed(token)) for token in ids_of(tokens, special)]
    parts += [splitter.feed(text.rest()), splitter.rest()]
    yield "".join(part.thought for part in parts)
    yield "".join(part.answer for part in parts)


@pytest.mark.parametrize("engine", [in_gguf, in_pytorch])
@pytest.mark.parametrize(
    ("special", "tokens", "parts"),
    [
        (CHANNELS, GPT_OSS, ["x é", "y"]),
        (CHANNELS, ("<|channel|>", *"final", "<|message|>", "y"), ["", "y"]),
        (CHANNELS, ("<|channel|>", *"ana"), ["", ""]),  # cut within what only a machine reads
        (("<|channel>", "<channel|>", "<|think|>"), GEMMA, ["x", "yz"]),
        (("[THINK]", "[/THINK]"), ("a", "[THINK]", "b", "[/THINK]", "c"), ["b", "a\n\nc"]),
        (("<|user|>", "<|end|>"), ("a", "<|end|>", "<|user|>", "b"), ["", "ab"]),
        (("((t))", "((/t))"), ("((t))", "a", "((/t))", "b"), ["", "ab"]),
    ],
)
def test_marks_survive_until_thoughts_are_told_apart(
    engine: Callable[..., Iterator[str]],
    special: Sequence[str],
    tokens: Sequence[str],
    parts: list[str],
    tmp_path: Path,
) -> None:
    vocabulary = (*model_files.SPECIAL, *special)
    assert list(engine(tmp_path, vocabulary, tokens, "")) == parts


@pytest.mark.parametrize("engine", [in_gguf, in_pytorch])
def test_marks_that_only_the_template_tells_survive_as_well(
    engine: Callable[..., Iterator[str]], tmp_path: Path
) -> None:
    template = "{% set thinking = c.split('((/t))')[0].split('((t))')[-1] %}"
    vocabulary = (*model_files.SPECIAL, "((t))", "((/t))")
    tokens = ("((t))", "a", "((/t))", "b")
    assert list(engine(tmp_path, vocabulary, tokens, template)) == ["a", "b"]


@pytest.mark.parametrize(
    ("special", "template", "expected"),
    [
        (("</think>",), "", {"</think>"}),
        (("<think>",), "", set()),
        ((), "{{ m.content.split('</think>')[-1] }}", {"</think>"}),
        ((), "", set()),
    ],
)
def test_ends_that_vocabulary_or_template_have_are_expected(
    special: tuple[str, ...], template: str, expected: set[str], tmp_path: Path
) -> None:
    vocabulary = (*model_files.SPECIAL, *special)
    path = model_files.write_gguf(tmp_path / "m.gguf", special=vocabulary, template=template)
    model = GGUFModel.load(str(path), vocabulary_only=True)
    try:
        of_file, _texts = marks_of_file(model)
    finally:
        model.close()
    model_files.write_tokenizer(tmp_path, special=vocabulary, template=template)
    of_folder, _texts = detokenizer.thought_marks(loading.load_tokenizer(str(tmp_path), False))
    assert of_file.expected == of_folder.expected == expected


def test_half_a_character_before_a_mark_is_not_lost(tmp_path: Path) -> None:
    vocabulary = (*model_files.SPECIAL, "[THINK]", "[/THINK]")
    model_files.write_tokenizer(tmp_path, special=vocabulary)
    tokenizer = loading.load_tokenizer(str(tmp_path), False)
    _marks, kept = detokenizer.thought_marks(tokenizer)
    text = detokenizer.Detokenizer(tokenizer, kept)
    tokens = [ord("a"), 0xC3, model_files.BYTES + vocabulary.index("[/THINK]"), ord("b")]
    assert "".join(map(text.feed, tokens)) + text.rest() == "a\ufffd[/THINK]b"
