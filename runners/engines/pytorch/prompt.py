"""Prompts and end tokens by a tokenizer of transformers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import InferenceError
from runners.engines import special_marks, typed_tokens
from runners.engines.chat_prompt import (
    Messages,
    PreparedPrompt,
    RenderedPrompt,
    Template,
    arguments_for,
    render,
    template_failure,
)
from runners.engines.pytorch import adapter
from runners.engines.template import compile_template
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
IN_PIECES = (
    "A control token that is typed in the prompt was read as characters by cutting the text there, "
    "since this tokenizer has no way to leave such tokens alone; that takes a token or two more."
)
_ORDINARY_TEXT = "The quick brown fox jumps over the lazy dog."
_PROBE = "An answer."
_PROBE_SECONDS = 1.0


class _OwnTemplate:
    """The chat template of a tokenizer that renders in a way of its own."""

    source = ""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, messages: Messages, **arguments: Any) -> str:
        arguments.pop("strftime_now", None)
        told = {"add_generation_prompt": True, **arguments}
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, **told)
        return text


def template_of(tokenizer: Any) -> Template | None:
    """Return the tokenizer's chat template as a function, None where it has none.

    It is compiled here as that of a GGUF file is, unless the tokenizer has a way of its own.

    Raises:
        InferenceError: it is not valid Jinja, or none of several is the usual one.
    """
    if not getattr(tokenizer, "chat_template", None):
        return None
    if adapter.renders_its_own_way(tokenizer):
        return _OwnTemplate(tokenizer)
    try:
        source = tokenizer.get_chat_template()
    except ValueError as error:
        raise InferenceError(template_failure(error)) from error
    return within_limits(lambda: compile_template(source, tokenizer.special_tokens_map))


def make_prompt(
    tokenizer: Any, conversation: Conversation, settings: ModelConfig, date: str | None = None
) -> PreparedPrompt:
    """Render and tokenise a conversation.

    Args:
        tokenizer: the tokenizer of transformers.
        conversation: what is asked.
        settings: their ``prompt_format``, and what they tell the chat template.
        date: what the template is told of the time (ISO 8601); None for now.

    Raises:
        InferenceError: the chat template fails or loses a message, or the tokenizer fails.
        ConfigurationError: the chat template does not know what the settings tell it.
    """
    template = None if settings.prompt_format == "plain" else template_of(tokenizer)
    rendered = render(
        template,
        "tokenizer",
        conversation,
        settings.prompt_format,
        arguments=arguments_for(template, settings),
        date=date,
    )
    special = special_tokens(tokenizer)
    typed = typed_tokens.typed_in(rendered.texts, special)
    fallbacks: tuple[str, ...] = ()
    if rendered.is_chat:
        tokens = _chat_tokens(tokenizer, rendered, typed)
    else:
        tokens, fallbacks = _plain(tokenizer, rendered.text)
    notes = (*rendered.notes, *typed_tokens.sentence(rendered, typed))
    tokens = tokens or _first_token(tokenizer)
    return PreparedPrompt(
        rendered,
        tokens,
        fallbacks,
        notes,
        special_marks.marks(rendered, lambda texts: typed_tokens.typed_in(texts, special)),
        special_marks.before(rendered, _start_in_words(tokenizer, tokens)),
    )


def _start_in_words(tokenizer: Any, tokens: Sequence[int]) -> str:
    """Return BOS as it is written where a prompt begins with it, else nothing."""
    start = tokenizer.bos_token_id
    return str(tokenizer.bos_token) if start is not None and tokens[0] == start else ""


def _plain(tokenizer: Any, text: str) -> tuple[list[int], tuple[str, ...]]:
    """Tokenise a text in which special tokens are nothing but characters; and say what it took."""
    tokens = _encode(tokenizer, text, add_special_tokens=True, split_special_tokens=True)
    typed = {name: number for name, number in special_tokens(tokenizer).items() if name in text}
    if not typed:
        return tokens, ()
    around = _encode(tokenizer, "", add_special_tokens=True)
    if all(tokens.count(number) <= around.count(number) for number in typed.values()):
        return tokens, ()
    return _in_pieces(tokenizer, text, typed), (IN_PIECES,)


def _in_pieces(tokenizer: Any, text: str, typed: Iterable[str]) -> list[int]:
    """Tokenise a text with a tokenizer that knows no other way to leave special tokens alone.

    Each is cut after its first character; that costs a token more than need be, and is right.
    """
    return [*_start(tokenizer), *_cut(tokenizer, text, typed)]


def _cut(tokenizer: Any, text: str, typed: Iterable[str]) -> list[int]:
    begins = "|".join(f"(?<={re.escape(name[0])})(?={re.escape(name[1:])})" for name in typed)
    tokens: list[int] = []
    for piece in re.split(begins, text):
        tokens += _encode(tokenizer, piece, add_special_tokens=False) if piece else []
    return tokens


def _start(tokenizer: Any) -> list[int]:
    """Return BOS where the tokenizer puts it before a text."""
    start = tokenizer.bos_token_id
    wanted = start is not None and start in _encode(tokenizer, "", add_special_tokens=True)
    return [start] if wanted else []


def _chat_tokens(tokenizer: Any, rendered: RenderedPrompt, typed: Sequence[str]) -> list[int]:
    """Tokenise a rendered chat; BOS comes first where the tokenizer wants it, and once."""
    special = special_tokens(tokenizer)

    def encode(text: str, with_special: bool) -> list[int]:
        options = {} if with_special else {"split_special_tokens": True}
        tokens = _encode(tokenizer, text, add_special_tokens=False, **options)
        names = [name for name in typed if name in text and special[name] in tokens]
        if with_special or not names:
            return tokens
        return _cut(tokenizer, text, names)

    tokens = typed_tokens.chat_tokens(rendered, typed, encode)
    start = _start(tokenizer)
    return tokens if tokens[:1] == start else [*start, *tokens]


def _encode(tokenizer: Any, text: str, **options: Any) -> list[int]:
    try:
        return adapter.encode(tokenizer, text, **options)
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


def end_tokens(tokenizer: Any, model: Any, settings: ModelConfig) -> frozenset[int]:
    """Return all tokens that end an answer, of every place that names them."""
    generation = getattr(model, "generation_config", None)
    tokens = {
        *_ids(getattr(generation, "eos_token_id", None)),
        *_ids(getattr(model.config.get_text_config(decoder=True), "eos_token_id", None)),
        *_ids(tokenizer.eos_token_id),
        *_ids(settings.eos_token_id),
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
    """Return the special tokens of the vocabulary by their text, as far as they are told."""
    return adapter.special_tokens(tokenizer) or {}


def unknown_ends(tokenizer: Any, ends: frozenset[int]) -> list[str]:
    """Return a sentence where answers may go on beyond their end, since nothing tells it."""
    if not ends:
        return [
            "No token is known that ends an answer of this model, so that it writes until "
            "max_tokens: neither config.json nor its tokenizer names one. Set eos_token_id or a "
            "stop text."
        ]
    if adapter.special_tokens(tokenizer) is None:
        return [
            "The special tokens of this tokenizer cannot be listed, so that an answer may go on "
            "beyond the end of its turn. Set a stop text where it does."
        ]
    return []


def _turn_end(tokenizer: Any, special: dict[str, int]) -> str:
    """Return the special token that the chat template writes right after an answer, or none."""
    turns = [{"role": "user", "content": "A question."}, {"role": "assistant", "content": _PROBE}]
    try:
        template = template_of(tokenizer)
        if template is None:
            return ""
        text = within_limits(lambda: template(turns, add_generation_prompt=False), _PROBE_SECONDS)
    except Exception:  # a template may refuse such a talk in any way it likes
        return ""
    after = text.rpartition(_PROBE)[2].lstrip()
    fitting = [name for name in special if after.startswith(name)]
    return max(fitting, key=len, default="")


def check_vocabulary(tokens: Sequence[int], model: Any) -> None:
    """Refuse token ids for which the model has no embedding: C code would crash on them.

    Raises:
        InferenceError: there is one.
    """
    size = model.get_input_embeddings().weight.shape[0]
    if max(tokens) >= size:
        raise InferenceError(
            f"Tokenizer and model do not fit: token {max(tokens)}, embedding {size}. "
            "Get both from the same source."
        )
