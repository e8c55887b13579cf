"""Prompts by the vocabulary and the chat template of a GGUF file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from runners.engines import special_marks, typed_tokens
from runners.engines.chat_prompt import (
    PreparedPrompt,
    RenderedPrompt,
    Template,
    arguments_for,
    render,
)
from runners.engines.template import compile_template
from runners.engines.template_limits import within_limits

if TYPE_CHECKING:
    from runners.engines.gguf.model import GGUFModel


def chat_template(model: GGUFModel) -> Template | None:
    """Return a file's chat template as a function, None where it has none.

    Raises:
        InferenceError: it is not valid Jinja.
    """
    source = model.metadata("tokenizer.chat_template")
    if not source:
        return None
    return within_limits(lambda: compile_template(source, _named_tokens(model)))


def _named_tokens(model: GGUFModel) -> dict[str, str]:
    """Return the special tokens that templates know by name, as far as the file tells them."""
    llama = model.llama
    tokens = {
        "bos_token": llama.llama_vocab_bos(model.vocabulary),
        "eos_token": llama.llama_vocab_eos(model.vocabulary),
        "pad_token": llama.llama_vocab_pad(model.vocabulary),
        "sep_token": llama.llama_vocab_sep(model.vocabulary),
        "unk_token": _number(model.metadata("tokenizer.ggml.unknown_token_id")),
        "mask_token": _number(model.metadata("tokenizer.ggml.mask_token_id")),
    }
    size = model.vocabulary_size  # llama.cpp ends the process for a token beyond it
    return {name: model.token_text(token) for name, token in tokens.items() if 0 <= token < size}


def _number(text: str | None) -> int:
    """Return what a file tells of a token, which may be anything; -1 for what is no number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else -1


def make_prompt(
    model: GGUFModel, conversation: Conversation, settings: ModelConfig, date: str | None = None
) -> PreparedPrompt:
    """Render and tokenise a conversation.

    Args:
        model: the file, or its vocabulary alone.
        conversation: what is asked.
        settings: their ``prompt_format``, and what they tell the chat template.
        date: what the template is told of the time (ISO 8601); None for now.

    Raises:
        InferenceError: the chat template fails or loses a message, or the text cannot be
            tokenised.
        ConfigurationError: the chat template does not know what the settings tell it.
    """
    wants_template = settings.prompt_format != "plain"
    template = model.template() if wants_template else None
    rendered = render(
        template,
        "gguf",
        conversation,
        settings.prompt_format,
        arguments=arguments_for(template, settings),
        date=date,
    )
    typed = _typed_tokens(model, rendered.texts)
    notes = (*rendered.notes, *typed_tokens.sentence(rendered, typed))
    tokens = _tokens(model, rendered, typed)
    return PreparedPrompt(
        rendered,
        tokens,
        notes=notes,
        special=special_marks.marks(rendered, lambda texts: _typed_tokens(model, texts)),
        first_token=special_marks.before(rendered, _start(model, tokens)),
    )


def _start(model: GGUFModel, tokens: Sequence[int]) -> str:
    """Return BOS as the vocabulary writes it where a prompt begins with it, else nothing."""
    start = model.llama.llama_vocab_bos(model.vocabulary)
    return model.token_text(start) if start >= 0 and list(tokens[:1]) == [start] else ""


def _typed_tokens(model: GGUFModel, texts: Sequence[str]) -> list[str]:
    """Return the control tokens that stand in texts, such as messages, as they are written."""
    said = "\0".join(texts)
    as_tokens = set(model.tokens(said, add_special=False, special=True))
    as_text = set(model.tokens(said, add_special=False, special=False))
    names = {model.token_text(token) for token in as_tokens - as_text}
    return typed_tokens.typed_in(texts, [name for name in names if _is_control(model, name)])


def _is_control(model: GGUFModel, name: str) -> bool:
    as_token = model.tokens(name, add_special=False, special=True)
    return as_token != model.tokens(name, add_special=False, special=False)


def _tokens(model: GGUFModel, rendered: RenderedPrompt, typed: Sequence[str]) -> list[int]:
    if not rendered.is_chat:
        tokens = model.tokens(rendered.text, add_special=True, special=False)
        return tokens or _first_token(model)

    def encode(text: str, special: bool) -> list[int]:
        return model.tokens(text, add_special=False, special=special)

    tokens = typed_tokens.chat_tokens(rendered, typed, encode)
    start = model.llama.llama_vocab_bos(model.vocabulary)
    wants_start = start >= 0 and model.llama.llama_vocab_get_add_bos(model.vocabulary)
    if wants_start and tokens[:1] != [start]:
        return [start, *tokens]
    return tokens or _first_token(model)


def _first_token(model: GGUFModel) -> list[int]:
    """Return what an empty prompt begins with: a model cannot start from nothing."""
    llama = model.llama
    for candidate in (llama.llama_vocab_bos, llama.llama_vocab_eos, llama.llama_vocab_nl):
        token = candidate(model.vocabulary)
        if token >= 0:
            return [token]
    return [0]
