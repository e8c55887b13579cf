"""Prompts and end tokens by a tokenizer of transformers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comparator.core.exceptions import InferenceError
from runners.engines.chat_prompt import Messages, PreparedPrompt, RenderedPrompt, Template, render
from runners.engines.template_limits import within_limits

# What ends a turn in the templates of known model families, where it is a special token.
_END_OF_TURN = (
    "</s>",
    "<end_of_turn>",
    "<eos>",
    "<turn|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|call|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|im_end|>",
    "<|return|>",
)
_ORDINARY_TEXT = "The quick brown fox jumps over the lazy dog."
_PROBE = "An answer."
_PROBE_SECONDS = 1.0


def template_of(tokenizer: Any) -> Template | None:
    """Return the tokenizer's chat template as a function, None where it has none."""
    if not getattr(tokenizer, "chat_template", None):
        return None

    def apply(messages: Messages) -> str:
        text: str = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return text

    return apply


def make_prompt(tokenizer: Any, prompt: str, config: dict[str, Any]) -> PreparedPrompt:
    """Render and tokenise a prompt.

    Raises:
        InferenceError: the chat template or the tokenizer fails.
    """
    rendered = render(template_of(tokenizer), "tokenizer", prompt, config)
    tokens = _chat_tokens(tokenizer, rendered) if rendered.is_chat else _plain(tokenizer, rendered)
    return PreparedPrompt(rendered, tokens or _first_token(tokenizer))


def _plain(tokenizer: Any, rendered: RenderedPrompt) -> list[int]:
    """Tokenise a text in which special tokens are nothing but characters."""
    return _encode(tokenizer, rendered.text, add_special_tokens=True, split_special_tokens=True)


def _chat_tokens(tokenizer: Any, rendered: RenderedPrompt) -> list[int]:
    """Tokenise a rendered chat; BOS comes first where the tokenizer wants it, and once."""
    tokens = _encode(tokenizer, rendered.text, add_special_tokens=False)
    start = tokenizer.bos_token_id
    wants_start = start is not None and start in _encode(tokenizer, "", add_special_tokens=True)
    return [start, *tokens] if wants_start and tokens[:1] != [start] else tokens


def _encode(tokenizer: Any, text: str, **options: Any) -> list[int]:
    try:
        return list(tokenizer(text, verbose=False, **options)["input_ids"])
    except BaseException as error:
        # A panic of the tokenizers library (a regular expression out of bounds) is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InferenceError(
            f"The tokenizer failed on this text ({type(error).__name__}: {error}). "
            "Its tokenizer.json is damaged or not made for such texts; use another copy."
        ) from error


def ordinary_tokens(tokenizer: Any) -> list[int]:
    """Return the tokens of an ordinary text, to try a model with; none where it has no such."""
    try:
        return _encode(tokenizer, _ORDINARY_TEXT, add_special_tokens=False)
    except InferenceError:
        return []


def _first_token(tokenizer: Any) -> list[int]:
    """Return what an empty prompt begins with: a model cannot start from nothing."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return [token]
    return [0]


def end_tokens(tokenizer: Any, model: Any, config: dict[str, Any]) -> frozenset[int]:
    """Return all tokens that end an answer, of every place that names them."""
    generation = getattr(model, "generation_config", None)
    tokens = {
        *_ids(getattr(generation, "eos_token_id", None)),
        *_ids(getattr(model.config.get_text_config(decoder=True), "eos_token_id", None)),
        *_ids(tokenizer.eos_token_id),
        *_ids(config.get("eos_token_id")),
    }
    special = special_tokens(tokenizer)
    names = [name for name in (*_END_OF_TURN, _turn_end(tokenizer, special)) if name in special]
    if "<|return|>" in names and "<|call|>" in names:  # gpt-oss: <|end|> only ends a thought
        names = [name for name in names if name != "<|end|>"]
    return frozenset(tokens | {special[name] for name in names})


def _ids(value: Any) -> Iterable[int]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),)


def special_tokens(tokenizer: Any) -> dict[str, int]:
    """Return the special tokens of the vocabulary by their text."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {str(token): number for number, token in added.items() if token.special}


def _turn_end(tokenizer: Any, special: dict[str, int]) -> str:
    """Return the special token that the chat template writes right after an answer, or none."""
    if not getattr(tokenizer, "chat_template", None):
        return ""
    turns = [{"role": "user", "content": "A question."}, {"role": "assistant", "content": _PROBE}]
    try:
        text = within_limits(
            lambda: tokenizer.apply_chat_template(turns, tokenize=False), _PROBE_SECONDS
        )
    except Exception:  # a template may refuse such a talk in any way it likes
        return ""
    after = text.rpartition(_PROBE)[2].lstrip()
    fitting = [name for name in special if after.startswith(name)]
    return max(fitting, key=len, default="")
