"""What a model is really given: the rules that both engines share, from a question to a text.

An engine brings its template as a function from messages to text; here it is decided whether
it is used, what happens to a system prompt it refuses, and whether the result fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comparator.core.exceptions import InferenceError, PromptTooLongError
from comparator.core.text import without_surrogates
from runners.engines.template_limits import check_length, within_limits

Messages = list[dict[str, str]]
Template = Callable[[Messages], str]


@dataclass(frozen=True)
class RenderedPrompt:
    """A text for the tokenizer.

    Attributes:
        text: after the chat template, or the plain prompt.
        source: ``gguf``, ``tokenizer``, ``fallback`` or ``none`` (plain completion).
    """

    text: str
    source: str

    @property
    def is_chat(self) -> bool:
        """Whether special tokens written in the text are tokens."""
        return self.source != "none"


@dataclass(frozen=True)
class PreparedPrompt:
    """A rendered prompt, its token ids with special ones, and sentences on what was off."""

    rendered: RenderedPrompt
    tokens: list[int]
    fallbacks: tuple[str, ...] = ()


def render(
    template: Template | None, source: str, prompt: str, config: Mapping[str, Any]
) -> RenderedPrompt:
    """Make the text that the model is given.

    ``prompt_format`` of the config is ``auto`` (the template where there is one), ``chat``
    (ChatML where there is none) or ``plain``.

    Raises:
        InferenceError: the model's chat template fails or goes beyond its limits.
    """
    prompt = without_surrogates(prompt)
    system = without_surrogates(str(config.get("system_prompt") or ""))
    wanted = config.get("prompt_format") or "auto"
    if wanted == "plain" or (wanted == "auto" and template is None):
        return RenderedPrompt(_plain(system, prompt), "none")
    if template is None:
        return RenderedPrompt(_chatml(_messages(system, prompt)), "fallback")
    text = within_limits(lambda: _with_template(template, system, prompt))
    return RenderedPrompt(check_length(text), source)


def _plain(system: str, prompt: str) -> str:
    return f"{system}\n\n{prompt}" if system else prompt


def _messages(system: str, prompt: str) -> Messages:
    user = {"role": "user", "content": prompt}
    return [{"role": "system", "content": system}, user] if system else [user]


def _chatml(messages: Messages) -> str:
    turns = [f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def _with_template(template: Template, system: str, prompt: str) -> str:
    """Apply a template; a system prompt that it refuses or drops goes before the question."""
    if system:
        text = _quietly(template, _messages(system, prompt))
        without = _quietly(template, _messages("", prompt)) or ""
        if text is not None and text.count(system.strip()) > without.count(system.strip()):
            return text
    try:
        return template(_messages("", _plain(system, prompt)))
    except MemoryError:
        raise
    except Exception as error:
        raise InferenceError(template_failure(error)) from error


def _quietly(template: Template, messages: Messages) -> str | None:
    try:
        return template(messages)
    except MemoryError:
        raise
    except Exception:  # a template refuses a role by raising, in any way it likes
        return None


def template_failure(error: Exception) -> str:
    """Return a sentence for an error of a chat template."""
    name = type(error).__name__
    if name == "SecurityError":
        return (
            f"The model's chat template tried something forbidden ({error}); refused. "
            "Get the model from a source that you trust, or set prompt_format to plain."
        )
    return (
        f"The model's chat template fails ({name}: {error}). "
        "Set prompt_format to plain, or use a newer copy of the model."
    )


def surely_fits(prompt: str, config: Mapping[str, Any]) -> bool:
    """Tell without a tokenizer whether a prompt is far below the context.

    A token is at least one byte of UTF-8; half of the context is left for the template. The
    model's own limit is not known here, so larger contexts count as 4096 tokens.
    """
    texts = (prompt, str(config.get("system_prompt") or ""))
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return size <= min(int(config.get("n_ctx") or 2048), 4096) // 2 - 256


def check_fits(tokens: Sequence[int], name: str, wanted: int | None, own_limit: int | None) -> None:
    """Refuse a prompt that leaves no room for one token of answer.

    Args:
        tokens: the prompt.
        name: what a person calls the model.
        wanted: the configured context (n_ctx) in tokens.
        own_limit: the longest context that the model was made for, None where unknown.

    Raises:
        PromptTooLongError: with both numbers and which limit it is.
    """
    limit = context_limit(wanted, own_limit)
    if len(tokens) < limit:
        return
    if own_limit is not None and own_limit <= limit:
        advice = "Shorten it: this is the model's own limit, raising n_ctx does not help."
    else:
        most = f" (up to {own_limit} for this model)" if own_limit else ""
        advice = f"Shorten it or raise the context (n_ctx){most}."
    room = " and needs room for the answer" if len(tokens) == limit else ""
    raise PromptTooLongError(
        f"The prompt has {len(tokens)} tokens; {name} takes {limit}{room}. {advice}"
    )


def context_limit(wanted: int | None, own_limit: int | None) -> int:
    """Return the tokens that prompt and answer may use together."""
    limits = [limit for limit in (wanted or 2048, own_limit) if limit]
    return min(limits)
