"""What models are asked: messages in turn, checked here and nowhere else.

Every door takes a text or a list of messages and makes it a ``Conversation``; inside there is
nothing but that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Union, get_args

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import without_surrogates

LONGEST_PROMPT_BYTES = 1_000_000  # of all messages together, as UTF-8
MOST_MESSAGES = 10_000
BYTES_AROUND_A_TURN = 64  # about what a chat template writes: a role, and what ends it

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)
_KEYS = {"role", "content"}

# What messages of other programs have, and why it is refused here.
_TEXT_ALONE = "models are asked in text alone"
_NO_TOOLS = "no tools are offered or run here"
_ROLES_OF_TOOLS = ("tool", "function", "ipython", "tool_response")
_KEYS_OF_TOOLS = ("tool_calls", "tool_call_id", "function_call", "tools")
_KINDS_OF_PARTS = (
    ("image", "an image"),
    ("audio", "audio"),
    ("video", "a video"),
    ("file", "a file"),
    ("document", "a document"),
    ("tool", "a call of a tool"),
    ("function", "a call of a tool"),
)
_TEXT_PARTS = ("text", "input_text", "output_text")


@dataclass(frozen=True)
class Message:
    """One turn: who speaks and what is said."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conversation:
    """Messages in turn, the last of them a question that is to be answered.

    Attributes:
        messages: a system message at the most, and then at the begin; a user's at the end.
        has_replacements: whether ``of`` put U+FFFD for characters that are no text.
        begun: the begin of the answer, which is to be gone on with; empty for a whole answer.
    """

    messages: tuple[Message, ...]
    has_replacements: bool = field(default=False, compare=False)
    begun: str = ""

    @classmethod
    def of(cls, value: Prompt, system_prompt: str = "") -> Conversation:
        """Return the conversation that a text (one question) or messages mean.

        Args:
            value: a text, messages (``{"role": …, "content": …}``), or a conversation.
            system_prompt: takes the place of the system message; empty leaves it.

        Raises:
            ConfigurationError: it is empty, too long or no conversation, and why.
        """
        given = tuple(_messages(value))
        messages = tuple(replace(one, content=without_surrogates(one.content)) for one in given)
        _check(messages)
        if isinstance(value, cls):
            mended = messages != given or value.has_replacements
            return replace(value, messages=messages, has_replacements=mended).with_system(
                system_prompt
            )
        return cls(messages, messages != given).with_system(system_prompt)

    @classmethod
    def asking(cls, question: str, system_prompt: str = "") -> Conversation:
        """Return the conversation of one question as it is, not checked.

        For inferencers that a script uses in its own process; an empty text is a question there.
        """
        asked = cls((Message("user", without_surrogates(question)),))
        return asked.with_system(system_prompt)

    def with_system(self, text: str) -> Conversation:
        """Return the conversation with this system message; an empty text changes nothing."""
        if not text:
            return self
        system = Message("system", without_surrogates(text))
        return replace(self, messages=(system, *self.turns))

    def and_then(self, answer: str, question: str) -> Conversation:
        """Return the conversation after an answer and a further question.

        What a model thought before its answer is no part of a history: only the answer is.

        Args:
            answer: what the assistant has said; whole, also where its begin was given (``begun``).
            question: what the user says then.

        Raises:
            ConfigurationError: the question is empty, or all together is too long.
        """
        said = (*self.messages, Message("assistant", answer), Message("user", question))
        further = Conversation.of(said)
        is_mended = self.has_replacements or further.has_replacements
        return replace(further, has_replacements=is_mended)

    def continuing(self, answer: str) -> Conversation:
        """Return the conversation whose answer has begun: the model goes on behind this text.

        The only way to a conversation that ends with the assistant's words.

        Raises:
            ConfigurationError: there is no text to go on with, or all together is too long.
        """
        begun = without_surrogates(answer)
        if not begun.strip():
            raise ConfigurationError(
                "There is no answer to go on with; it is empty. Ask the question again."
            )
        _check_size(self.messages, begun)
        return replace(self, begun=begun, has_replacements=self.has_replacements or begun != answer)

    def without_answer(self) -> Conversation:
        """Return the conversation whose answer has not begun."""
        return replace(self, begun="") if self.begun else self

    @property
    def system(self) -> str:
        """The system message, empty where there is none."""
        first = self.messages[0]
        return first.content if first.role == "system" else ""

    @property
    def turns(self) -> tuple[Message, ...]:
        """What user and assistant have said."""
        return tuple(message for message in self.messages if message.role != "system")

    @property
    def question(self) -> str:
        """The last thing that the user has said."""
        return next(one.content for one in reversed(self.messages) if one.role == "user")

    @property
    def has_several_turns(self) -> bool:
        """Whether more was said than one question."""
        return len(self.turns) > 1

    def as_text(self) -> str:
        """Return it as plain text, for models without a chat template.

        One question is its text, after the system message and an empty line where there is one.
        Several turns are each named, and the last line is the model's to go on, behind what is
        written of it already::

            User: …

            Assistant: …

            User: …

            Assistant:
        """
        lines = [self.system] if self.system else []
        if not self.has_several_turns:
            return "\n\n".join((*lines, self.question)) + self.begun
        lines += [f"{turn.role.capitalize()}: {turn.content}" for turn in self.turns]
        between = " " if self.begun and not self.begun[0].isspace() else ""
        return "\n\n".join((*lines, "Assistant:")) + between + self.begun

    def records(self) -> list[dict[str, str]]:
        """Return the messages as a record holds them, ready for JSON; without a begun answer."""
        return [asdict(message) for message in self.messages]


Prompt = Union[str, Sequence[Union[Mapping[str, Any], Message]], Conversation]  # noqa: UP007


def _messages(value: Any) -> Iterator[Message]:
    if isinstance(value, Conversation):
        value = value.messages
    if isinstance(value, str):
        yield Message("user", value)
        return
    if not isinstance(value, (list, tuple)):
        raise ConfigurationError(
            f"The prompt must be text or a list of messages, not {type(value).__name__}."
        )
    if len(value) > MOST_MESSAGES:
        raise ConfigurationError(
            f"A conversation takes up to {MOST_MESSAGES} messages; {len(value)} were given."
        )
    for number, one in enumerate(value, start=1):
        yield _message(number, one)


def _message(number: int, value: Any) -> Message:
    if isinstance(value, Message):
        value = asdict(value)
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            "The prompt must be text or a list of messages with role and content; "
            f"message {number} is {type(value).__name__}."
        )
    _refuse_tools(number, value)
    unknown = sorted(str(key)[:40] for key in value if key not in _KEYS)
    if unknown or len(value) != len(_KEYS):
        told = f", not {unknown[0]!r}" if unknown else ""
        raise ConfigurationError(f"Message {number} must have role and content alone{told}.")
    role, content = value["role"], value["content"]
    if role not in ROLES:
        shown = repr(role)[:60]
        raise ConfigurationError(
            f"Message {number} has the role {shown}; it must be system, user or assistant."
        )
    return Message(role, _text_of(number, content))


def _refuse_tools(number: int, value: Mapping[Any, Any]) -> None:
    """Refuse by name a message that calls a tool or answers for one; empty lists call none."""
    role = value.get("role")
    if isinstance(role, str) and role in _ROLES_OF_TOOLS:
        raise ConfigurationError(
            f"Message {number} has the role {role!r}; it must be system, user or assistant: "
            f"{_NO_TOOLS}. Leave such messages out."
        )
    for key in _KEYS_OF_TOOLS:
        if value.get(key):
            raise ConfigurationError(
                f"Message {number} has {key}: {_NO_TOOLS}. Leave such messages out."
            )


def _text_of(number: int, content: Any) -> str:
    """Return the text of a message that is text, or a list of parts that are."""
    if isinstance(content, str):
        return content
    if not isinstance(content, (list, tuple)):
        raise ConfigurationError(
            f"The content of message {number} must be text, not {type(content).__name__}."
        )
    return "\n".join(_text_of_part(number, part) for part in content)


def _text_of_part(number: int, part: Any) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in _TEXT_PARTS and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    for word, told in _KINDS_OF_PARTS:
        if word in str(kind):
            why = _NO_TOOLS if "tool" in told else _TEXT_ALONE
            raise ConfigurationError(
                f"Message {number} has {told} as part of its content: {why}. Leave it out."
            )
    shown = repr(kind if isinstance(part, Mapping) else part)[:60]
    raise ConfigurationError(
        f"The content of message {number} has a part of the kind {shown}; parts must be "
        '{"type": "text", "text": …}.'
    )


def _check(messages: Sequence[Message]) -> None:
    for number, message in enumerate(messages[1:], start=2):
        if message.role == "system":
            raise ConfigurationError(
                f"Message {number} is a system message; only the first may be one."
            )
    if messages and messages[-1].role == "assistant":
        raise ConfigurationError("The last message must be the user's: it is what gets answered.")
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise ConfigurationError("Type a prompt first; it is empty.")
    _check_size(messages)


def _check_size(messages: Sequence[Message], begun: str = "") -> None:
    size = sum(len(message.content.encode()) for message in messages) + len(begun.encode())
    if size > LONGEST_PROMPT_BYTES:
        raise ConfigurationError(
            f"The prompt has {size} bytes; the limit is {LONGEST_PROMPT_BYTES}. Shorten it."
        )
