"""What a model is really given: the rules both engines share, from a conversation to a text.

An engine brings its template as a function from messages to text; here it is decided whether
it is used, what happens to a system prompt it refuses, and whether the result fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comparator.core.config import USUAL_CONTEXT_TOKENS
from comparator.core.conversation import Conversation, Message
from comparator.core.exceptions import InferenceError, PromptTooLongError
from runners.engines.template_limits import check_length, within_limits

Messages = list[dict[str, str]]
Template = Callable[[Messages], str]
# A template writes a role and what ends it around each turn; half a context is left for one.
_BYTES_AROUND_A_TURN = 64
_LARGEST_SURE_CONTEXT_TOKENS = 4096


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
    template: Template | None,
    source: str,
    conversation: Conversation,
    prompt_format: str = "auto",
) -> RenderedPrompt:
    """Make the text that the model is given.

    ``prompt_format`` is ``auto`` (the template where there is one), ``chat`` (ChatML where there
    is none) or ``plain`` (``Conversation.as_text``).

    Raises:
        InferenceError: the model's chat template fails or goes beyond its limits.
    """
    if prompt_format == "plain" or (prompt_format == "auto" and template is None):
        return RenderedPrompt(conversation.as_text(), "none")
    if template is None:
        return RenderedPrompt(_chatml(conversation.records()), "fallback")
    text = within_limits(lambda: _with_template(template, conversation))
    return RenderedPrompt(check_length(text), source)


def _chatml(messages: Messages) -> str:
    turns = [f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def _with_template(template: Template, conversation: Conversation) -> str:
    """Apply a template; a system prompt that it refuses or drops goes before the first turn."""
    system, turns = conversation.system, Conversation(conversation.turns)
    if system:
        text = _quietly(template, conversation.records())
        without = _quietly(template, turns.records()) or ""
        if text is not None and text.count(system.strip()) > without.count(system.strip()):
            return text
        turns = _with_system_inside(system, turns)
    try:
        return template(turns.records())
    except MemoryError:
        raise
    except Exception as error:
        raise InferenceError(template_failure(error)) from error


def _with_system_inside(system: str, conversation: Conversation) -> Conversation:
    first, *others = conversation.turns
    merged = Message(first.role, f"{system}\n\n{first.content}")
    return Conversation((merged, *others))


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


def surely_fits(conversation: Conversation, context: int | None) -> bool:
    """Tell without a tokenizer whether a conversation is far below a context in tokens.

    A token is at least one byte of UTF-8; half of the context is left for the template. The
    model's own limit is not known here, so larger contexts count as 4096 tokens.
    """
    texts = (message.content for message in conversation.messages)
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    size += _BYTES_AROUND_A_TURN * (len(conversation.turns) - 1)
    sure = min(context or USUAL_CONTEXT_TOKENS, _LARGEST_SURE_CONTEXT_TOKENS)
    return size <= sure // 2 - 256


def check_fits(tokens: Sequence[int], name: str, wanted: int | None, own_limit: int | None) -> None:
    """Refuse a prompt that leaves no room for one token of answer.

    Args:
        tokens: the prompt.
        name: what a person calls the model.
        wanted: the configured context (n_ctx) in tokens, None for the model's own.
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
    """Return the tokens that prompt and answer may use together.

    Where none is wanted it is the model's own limit; what memory has room for was decided before
    (``comparator.memory.context``).
    """
    if wanted is None:
        return own_limit or USUAL_CONTEXT_TOKENS
    return min(wanted, own_limit) if own_limit else wanted
