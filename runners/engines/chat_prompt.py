"""What a model is really given: the rules both engines share, from a conversation to a text.

An engine brings its template as a function from messages to text; here it is decided whether
it is used, what happens to a system prompt it refuses, and whether the result fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation, Message
from comparator.core.dates import Clock
from comparator.core.exceptions import ConfigurationError, InferenceError, MessageLostError
from runners.base import PromptTokens
from runners.engines import arrival
from runners.engines.arrival import Span
from runners.engines.begun_answer import EMPTY_THOUGHT, before_begun
from runners.engines.taken_out import TakenOut, by_template
from runners.engines.template_arguments import arguments_of
from runners.engines.template_limits import check_length, within_limits

Messages = list[dict[str, Any]]
Template = Callable[..., str]  # of Messages and, by name, of whatever else it is told
_MOST_NAMED = 3

SYSTEM_INSIDE = (
    "The model's chat template takes no system message, so the system prompt was put before the "
    "first message."
)
NEIGHBOURS_JOINED = (
    "The model's chat template wants user and assistant in turn, so neighbouring messages of the "
    "same one were joined."
)
OTHER_ORDER = "The model's chat template gives the messages in another order than they were said."
REPEATED = "The model's chat template gives a message more than once."
SWITCHES_TAKEN_OUT = (
    "The model's chat template takes words such as /no_think out of messages: they are its "
    "switches."
)
_PARTS_AS_TEXT = re.compile(r"""["']type["']\s*:\s*["']text["']""")
_ADVICE = "Set prompt_format to plain, or use a newer copy of the model."


@dataclass(frozen=True)
class RenderedPrompt:
    """A text for the tokenizer.

    Attributes:
        text: after the chat template, or the plain prompt.
        source: ``gguf``, ``tokenizer``, ``fallback`` or ``none`` (plain completion).
        spans: where the messages stand in the text; None where that is not known.
        texts: what the messages say.
        date: what the template was told of the time, None where it did not ask.
        notes: sentences on what the template did to the conversation.
        begun: the begin of the answer, which ends the text; empty for a whole answer.
    """

    text: str
    source: str
    spans: tuple[Span, ...] | None = None
    texts: tuple[str, ...] = ()
    date: str | None = None
    notes: tuple[str, ...] = ()
    begun: str = ""

    @property
    def is_chat(self) -> bool:
        """Whether special tokens that the template writes are tokens."""
        return self.source != "none"

    @property
    def after_messages(self) -> str | None:
        """What the template wrote behind all messages; None where that is not known."""
        return self.text[max(span.end for span in self.spans) :] if self.spans else None

    @property
    def asked(self) -> str:
        """The text without the begin of the answer."""
        return self.text[: len(self.text) - len(self.begun)]

    def with_begun(self, begun: str, source: str) -> RenderedPrompt:
        """Return the prompt with the begin of an answer behind it, as its model would write it.

        Nothing ends the turn there, so that the model goes on with it. ``source`` is that of the
        chat template, empty where it is not known.
        """
        if not begun:
            return self
        between = before_begun(self.text, self.after_messages, source)
        text = self.text + between + begun
        spans = self.spans
        if spans is not None:
            spans = (*spans, Span(len(text) - len(begun), len(text), len(self.texts)))
        notes = (*self.notes, EMPTY_THOUGHT) if between else self.notes
        texts = (*self.texts, begun)
        return replace(self, text=text, spans=spans, texts=texts, notes=notes, begun=begun)


@dataclass(frozen=True)
class PreparedPrompt:
    """A rendered prompt and its token ids with special ones.

    Attributes:
        rendered: the text.
        tokens: what the model reads.
        fallbacks: sentences on what is off in the engine.
        notes: sentences on what became of the conversation.
        special: where special tokens stand in the text, as ``PromptTokens.special``.
        first_token: one that stands before the text; empty for none.
    """

    rendered: RenderedPrompt
    tokens: list[int]
    fallbacks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    special: tuple[int, ...] = ()
    first_token: str = ""

    @property
    def told(self) -> PromptTokens:
        """What is told of it before the model reads it."""
        rendered = self.rendered
        return PromptTokens(
            len(self.tokens),
            rendered.text,
            rendered.source,
            rendered.date,
            self.notes,
            rendered.after_messages,
            self.special,
            self.first_token,
        )


def render(
    template: Template | None,
    source: str,
    conversation: Conversation,
    prompt_format: str = "auto",
    *,
    arguments: Mapping[str, Any] | None = None,
    date: str | None = None,
) -> RenderedPrompt:
    """Make the text that the model is given.

    Args:
        template: the model's chat template, None where it has none.
        source: where it comes from.
        conversation: what is asked.
        prompt_format: ``auto`` (the template where there is one), ``chat`` (ChatML where there is
            none) or ``plain`` (``Conversation.as_text``).
        arguments: what else the template is told, by name.
        date: what it is told where it asks for the time (ISO 8601); None for now.

    Raises:
        InferenceError: the model's chat template fails or goes beyond its limits.
        MessageLostError: it leaves a message out.
        ConfigurationError: the date is none.
    """
    texts, begun = tuple(one.content for one in conversation.messages), conversation.begun
    if prompt_format == "plain" or (prompt_format == "auto" and template is None):
        said = (*texts, begun) if begun else texts
        return RenderedPrompt(conversation.as_text(), "none", texts=said, begun=begun)
    if template is None:
        template, source = _chatml, "fallback"
    told = dict(arguments or {})
    clock = Clock(date)
    if hasattr(template, "source"):
        told["strftime_now"] = clock.strftime_now
    written_in = getattr(template, "source", "")
    taken = by_template(written_in)
    rendered = within_limits(lambda: _with_template(template, conversation, told, taken))
    rendered = replace(rendered, source=source, texts=texts, date=clock.date)
    return rendered.with_begun(begun, written_in)


def arguments_for(template: Template | None, settings: ModelConfig) -> dict[str, Any]:
    """Return what settings tell a model's chat template, beside the messages.

    Raises:
        ConfigurationError: it does not know that, or nobody here does what it would ask for.
    """
    for name in settings.template_args:
        if name in _NOT_DONE:
            raise ConfigurationError(
                f"template_args must not set {name}: {_NOT_DONE[name]}. Leave it out."
            )
    used = None if settings.prompt_format == "plain" else template
    return arguments_of(settings, getattr(used, "source", None))


_NO_TOOLS = "models are compared by what they write, and no tools are offered or run here"
_TEXT_ALONE = "models are asked in text alone, without images, audio or video"
_NOT_DONE = {
    **dict.fromkeys(("tools", "functions", "tool_choice", "builtin_tools"), _NO_TOOLS),
    **dict.fromkeys(("images", "image", "audio", "audios", "videos", "video"), _TEXT_ALONE),
}


def _chatml(messages: Messages, **_arguments: Any) -> str:
    turns = [f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def _with_template(
    template: Template,
    conversation: Conversation,
    arguments: Mapping[str, Any],
    taken: TakenOut,
) -> RenderedPrompt:
    """Apply a template in the first way in which nothing of the conversation is lost.

    Messages are given as they are, then as lists of parts; then so that a system prompt that it
    refuses or drops goes before the first turn, and that user and assistant take turns.
    """
    failure: Exception | None = None
    lost: list[str] = []
    for attempt, notes in _attempts(conversation):
        for form in (_as_texts, _as_parts):
            trial = _Trial(template, attempt.messages, form, arguments, taken)
            try:
                rendered = trial.rendered()
            except MemoryError:
                raise
            except InferenceError:  # beyond a limit
                raise
            except Exception as error:  # a template refuses in any way it likes
                if form is _as_texts or failure is None:
                    failure = error
                continue
            if rendered is not None:
                return replace(rendered, notes=(*notes, *rendered.notes))
            lost = lost or trial.lost
    if lost or failure is None:
        raise MessageLostError(_left_out(lost))
    raise InferenceError(template_failure(failure)) from failure


def _attempts(conversation: Conversation) -> Iterator[tuple[Conversation, tuple[str, ...]]]:
    """Yield a conversation, and what it may become for a template, with sentences that say so."""
    yield conversation, ()
    system, turns = conversation.system, Conversation(conversation.turns)
    if system:
        yield _with_system_inside(system, turns), (SYSTEM_INSIDE,)
    joined = _with_neighbours_joined(turns)
    if joined == turns:
        return
    if system:
        yield joined.with_system(system), (NEIGHBOURS_JOINED,)
        yield _with_system_inside(system, joined), (SYSTEM_INSIDE, NEIGHBOURS_JOINED)
    else:
        yield joined, (NEIGHBOURS_JOINED,)


def _with_system_inside(system: str, conversation: Conversation) -> Conversation:
    first, *others = conversation.turns
    merged = Message(first.role, f"{system}\n\n{first.content}")
    return Conversation((merged, *others))


def _with_neighbours_joined(conversation: Conversation) -> Conversation:
    joined: list[Message] = []
    for role, turns in groupby(conversation.turns, key=lambda turn: turn.role):
        joined.append(Message(role, "\n\n".join(turn.content for turn in turns)))
    return Conversation(tuple(joined))


def _as_texts(messages: Sequence[Message]) -> Messages:
    return [{"role": one.role, "content": one.content} for one in messages]


def _as_parts(messages: Sequence[Message]) -> Messages:
    """Return messages as templates of models for more than text expect them."""
    return [
        {"role": one.role, "content": [{"type": "text", "text": one.content}]} for one in messages
    ]


class _Trial:
    """One way to give a conversation to a template.

    Attributes:
        lost: the messages that did not arrive, in words.
    """

    def __init__(
        self,
        template: Template,
        messages: Sequence[Message],
        form: Callable[[Sequence[Message]], Messages],
        arguments: Mapping[str, Any],
        taken: TakenOut,
    ) -> None:
        self.lost: list[str] = []
        self._template, self._messages = template, messages
        self._form, self._arguments, self._taken = form, arguments, taken

    def rendered(self) -> RenderedPrompt | None:
        """Return the prompt; None where it lacks a message or shows how parts are written."""
        text = check_length(self._apply(self._messages))
        missing = tuple(getattr(self._template, "missing", ()))
        marks = arrival.Marks(self._messages, self._taken)
        frame = self._frame(marks)
        found = arrival.spans(self._messages, text, frame, marks)
        if found is None:
            missed = arrival.lost(self._messages, text, frame, marks)
            self.lost = [f"{number + 1} ({self._messages[number].role})" for number in missed]
            if missed:
                return None
        if self._shows_parts(text):
            return None
        notes = list(_notes(found, missing))
        if found and arrival.without_switches(self._messages, text, found, self._taken):
            notes.append(SWITCHES_TAKEN_OUT)
        return RenderedPrompt(text, "", found, notes=tuple(notes))

    def _apply(self, messages: Sequence[Message]) -> str:
        return self._template(self._form(messages), **self._arguments)

    def _frame(self, marks: arrival.Marks) -> str | None:
        try:
            return self._apply(marks.messages)
        except MemoryError:
            raise
        except Exception:  # as above
            return None

    def _shows_parts(self, text: str) -> bool:
        """Tell whether a list of parts was written down as such, and nobody meant that."""
        if self._form is not _as_parts:
            return False
        said = sum(len(_PARTS_AS_TEXT.findall(one.content)) for one in self._messages)
        return len(_PARTS_AS_TEXT.findall(text)) > said


def _notes(found: tuple[Span, ...] | None, missing: Sequence[str]) -> Iterator[str]:
    if found and arrival.out_of_order(found):
        yield OTHER_ORDER
    if found and arrival.repeated(found):
        yield REPEATED
    if missing:
        yield (
            f"The model's chat template asks for {_listed(missing)}, which nothing here tells it; "
            "its place is empty."
        )


def _left_out(lost: Sequence[str]) -> str:
    return (
        f"The model's chat template leaves out message {_listed(lost)}: its text is not in the "
        f"prompt that the template makes. {_ADVICE}"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def template_failure(error: Exception) -> str:
    """Return a sentence for an error of a chat template."""
    name = type(error).__name__
    if name == "SecurityError":
        return (
            f"The model's chat template tried something forbidden ({error}); refused. "
            "Get the model from a source that you trust, or set prompt_format to plain."
        )
    return f"The model's chat template fails ({name}: {error}). {_ADVICE}"
