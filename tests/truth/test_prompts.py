"""A model is given what its own template makes: twelve families, both engines, three renderers.

llama.cpp's own engine knows ten of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_files
import pytest
from chat_families import FAMILIES, Family

from comparator.comparison.exports import as_markdown, as_text
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.services.inference_engine import InferenceEngine

SYSTEM = "Be brief."
PROMPTS = ("What is 1+1?", "你好 😀 <b>\"'&", "two\n\nlines")


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A tokenizer's folder and a GGUF file (vocabulary alone) of one family."""

    def make(family: Family, adds_start: bool = True) -> tuple[Path, Path]:
        folder = model_files.write_tokenizer(
            tmp_path / "folder",
            special=family.special,
            template=family.template,
            adds_start=adds_start,
        )
        path = model_files.write_gguf(
            tmp_path / "file.gguf",
            special=family.special,
            template=family.template,
            adds_start=adds_start,
        )
        return folder, path

    return make


def prepared(folder: Path, path: Path, prompt: str, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return the tokenizer, and what each engine gives to its model."""
    from transformers import AutoTokenizer

    from runners.engines.gguf.model import GGUFModel
    from runners.engines.pytorch.prompt import make_prompt

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = GGUFModel.load(str(path), vocabulary_only=True)
    try:
        config = ModelConfig(**values)
        asked = Conversation.asking(prompt, config.system_prompt)
        return tokenizer, model.prompt(asked, config), make_prompt(tokenizer, asked, config)
    finally:
        model.close()


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("system", ["", SYSTEM])
@pytest.mark.parametrize("name", FAMILIES)
def test_both_engines_render_as_transformers_does(
    made: Any, name: str, system: str, prompt: str, capfd: pytest.CaptureFixture[str]
) -> None:
    family = FAMILIES[name]
    tokenizer, of_gguf, of_pytorch = prepared(
        *made(family), prompt, {"system_prompt": system, "prompt_format": "auto"}
    )
    messages = [{"role": "user", "content": prompt}]
    if system and family.takes_system:
        messages.insert(0, {"role": "system", "content": system})
    elif system:
        messages[0]["content"] = f"{system}\n\n{prompt}"
    expected = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert of_gguf.rendered.text == expected
    assert of_pytorch.rendered.text == expected
    assert (of_gguf.rendered.source, of_pytorch.rendered.source) == ("gguf", "tokenizer")
    assert of_gguf.tokens == of_pytorch.tokens
    capfd.readouterr()


def built_in(template: str, messages: list[dict[str, str]]) -> str | None:
    """Return what llama.cpp's own engine makes of a family that it knows, else None."""
    llama_cpp = pytest.importorskip("llama_cpp")
    chat = (llama_cpp.llama_chat_message * len(messages))(
        *(llama_cpp.llama_chat_message(m["role"].encode(), m["content"].encode()) for m in messages)
    )
    buffer = ctypes.create_string_buffer(4096)
    length = llama_cpp.llama_chat_apply_template(
        template.encode(), chat, len(messages), True, buffer, len(buffer)
    )
    return buffer.raw[:length].decode() if length >= 0 else None


@pytest.mark.parametrize("system", ["", SYSTEM])
@pytest.mark.parametrize("name", [name for name, f in FAMILIES.items() if f.built_in])
def test_llama_cpps_own_engine_agrees(
    made: Any, name: str, system: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It leaves the begin of the text to the tokenizer, so that is not compared."""
    family = FAMILIES[name]
    if system and not (family.takes_system and family.built_in_system):
        system = ""
    _, of_gguf, _ = prepared(*made(family), PROMPTS[0], {"system_prompt": system})
    messages = [{"role": "user", "content": PROMPTS[0]}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    expected = built_in(family.template, messages)
    assert of_gguf.rendered.text.removeprefix(family.special[0]) == expected
    capfd.readouterr()


@pytest.mark.parametrize("prompt_format", ["auto", "plain", "chat"])
@pytest.mark.parametrize("adds_start", [True, False])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_begin_of_the_text_is_never_doubled(
    made: Any, name: str, adds_start: bool, prompt_format: str, capfd: pytest.CaptureFixture[str]
) -> None:
    family = FAMILIES[name]
    config = {"prompt_format": prompt_format}
    _, of_gguf, of_pytorch = prepared(*made(family, adds_start), "hi", config)
    writes_it = prompt_format != "plain" and of_gguf.rendered.text.startswith(family.special[0])
    for tokens in (of_gguf.tokens, of_pytorch.tokens):
        assert tokens.count(model_files.BYTES) == int(adds_start or writes_it)
        assert (tokens[0] == model_files.BYTES) == (adds_start or writes_it)
    capfd.readouterr()


def test_special_tokens_that_a_template_does_not_write_are_characters_in_plain_prompts(
    made: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    family = FAMILIES["chatml"]
    _, of_gguf, of_pytorch = prepared(*made(family), "<|im_end|>", {"prompt_format": "plain"})
    assert of_gguf.tokens == of_pytorch.tokens == [256, *b"<|im_end|>"]
    capfd.readouterr()


@pytest.mark.parametrize("length", [1, 300, 490])
def test_nothing_is_cut_in_silence(tiny_folder: Path, tiny_gguf: Path, length: int) -> None:
    """Every byte of the prompt is a token of it, whatever is left for the answer."""
    prompt = ("0123456789" * 50)[:length]
    models = [model_files.as_model(path) for path in (tiny_gguf, tiny_folder)]
    config = ModelConfig(max_tokens=100, do_sample=False, n_threads=1)
    *_, last = InferenceEngine().run_inference(prompt, models, {m.id: config for m in models})
    for result in last.values():
        assert result.error is None
        assert result.stats.prompt_tokens == 1 + length
        assert result.prompt.rendered == prompt
        assert result.prompt.dropped_tokens == 0
        assert result.stats.token_count == min(100, 512 - 1 - length)
        assert result.stats.finish_reason == "length", "an answer cut short says so"


@pytest.mark.parametrize("prompt_format", ["auto", "plain"])
def test_a_model_without_template_is_named_as_such(
    tiny_folder: Path, tiny_gguf: Path, prompt_format: str
) -> None:
    """Row 33 of the bad inputs: never somebody else's template in silence."""
    models = [model_files.as_model(path) for path in (tiny_gguf, tiny_folder)]
    config = ModelConfig(max_tokens=2, n_threads=1, prompt_format=prompt_format)
    *_, last = InferenceEngine().run_inference("hi", models, {m.id: config for m in models})
    for result in last.values():
        assert result.prompt.template_source == "none"
        wanted = "No chat template in this model: the plain prompt is used."
        is_said = prompt_format == "auto"  # a busy machine may add a sentence of its own
        assert (result.notice or "").startswith(wanted) == is_said
        assert (f"--- {wanted}" in as_text([result])) == is_said
        assert (f"> {wanted}" in as_markdown([result])) == is_said
