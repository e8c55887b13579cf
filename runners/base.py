"""What an engine must be able to do. A user's own engine subclasses BaseInferencer, too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Union

from comparator.core.conversation import Conversation, Prompt
from comparator.core.exceptions import MessageLostError, MultiLLMError, PromptTooLongError
from comparator.core.text import without_surrogates

if TYPE_CHECKING:
    from runners.engines.thinking import ThoughtMarks


@dataclass(frozen=True)
class PromptTokens:
    """The prompt as the model gets it, told before the model reads it.

    Attributes:
        prompt_tokens: how many tokens it has.
        rendered_prompt: its text.
        template_source: ``gguf``, ``tokenizer``, ``fallback`` or ``none`` (plain completion).
        date: what the chat template was told of the time (ISO 8601); None where it did not ask.
        notes: whole sentences on what became of the conversation in it.
        after_messages: what a chat template wrote behind all messages; None where that is not
            known.
        special: begin and end of each special token in the text, one after another; a control
            token that a person typed is none.
        first_token: a special token that stands before the text, such as BOS; empty for none.
    """

    prompt_tokens: int
    rendered_prompt: str
    template_source: str
    date: str | None = None
    notes: tuple[str, ...] = ()
    after_messages: str | None = None
    special: tuple[int, ...] = ()
    first_token: str = ""


@dataclass(frozen=True)
class TokenText:
    """One generated token and the text that became readable by it; often empty or a part.

    ``at`` is when it was chosen (``time.monotonic``, seconds), of a token that was kept back.
    """

    text: str
    at: float | None = None


@dataclass(frozen=True)
class End:
    """Why it ended (``stop``, ``length``, ``cancelled``) and the text still held back.

    ``batch`` is the most answers that shared a step of the model with this one, itself included.
    """

    reason: str
    text: str = ""
    batch: int = 1


Piece = Union[PromptTokens, TokenText, End]  # noqa: UP007
# What is wrong with one conversation says nothing of the others of a run.
REFUSED_ALONE = (PromptTooLongError, MessageLostError)


@dataclass(frozen=True)
class Refused:
    """Why one of several conversations cannot be answered; it stands in place of its pieces."""

    error: MultiLLMError


@dataclass(frozen=True)
class PromptSize:
    """How long a prompt is, known without the model's weights.

    Attributes:
        tokens: of the rendered prompt.
        own_limit: the longest context in tokens that the model was made for; None where unknown.
    """

    tokens: int
    own_limit: int | None = None


def _report_nothing(step: str, done: float, total: float) -> None:
    """Take the place of a progress report where nobody listens."""


def _never() -> bool:
    return False


def _always() -> bool:
    return True


class BaseInferencer(ABC):
    """Loads one model and streams its answers.

    Four methods are abstract. The others have defaults that an engine replaces where it
    knows more: tokens instead of fragments, its prompt, its device.

    A prompt is a text. Where a conversation has several turns, or a system message that is not
    in the settings, the text is the whole of it in plain words (``Conversation.as_text``). An
    engine that sets ``takes_conversations`` is given the ``Conversation`` itself.

    Attributes:
        model: the engine's own object, None while nothing is loaded.
        is_loaded: whether ``generate_stream`` may be called.
        report_progress: call it while loading with a step and how much of a total is done.
        should_stop: ask it between tokens; True ends the answer with what there is.
        is_due: an engine may keep tokens back while this, asked after each, is False.
        verdict: what the engine's trial on this machine has found (``settings``) and what it
            ``learned`` of this model before; empty for its own defaults.
        date: what a chat template is to be told of the time (ISO 8601); None for now.
        choices: the only texts that its answers may be; empty for any. An engine that does not
            know them answers as ever.
        way: how its tokens are decoded, in a word; may stay empty in engines of one's own.
        fallbacks: whole sentences on what is off and why; empty when nothing is.
        thought_marks: what marks the thoughts of this model in its text, told before its first
            token; None for what models are known to write.
        seed: of the next answer, in place of that of the settings; None for theirs.
        batch: the most answers that ``pieces_of_all`` will be asked for at once; set before the
            load, so that an engine can make room for them.
        learned: what it found out of this model, ready for JSON, to be told the next time.
    """

    takes_conversations: ClassVar[bool] = False

    def __init__(self) -> None:
        self.model: Any = None
        self.is_loaded = False
        self.report_progress: Callable[[str, float, float], None] = _report_nothing
        self.should_stop: Callable[[], bool] = _never
        self.is_due: Callable[[], bool] = _always
        self.verdict: dict[str, Any] = {}
        self.date: str | None = None
        self.choices: tuple[str, ...] = ()
        self.way = ""
        self.fallbacks: list[str] = []
        self.thought_marks: ThoughtMarks | None = None
        self.seed: int | None = None
        self.batch = 1
        self.learned: dict[str, Any] = {}

    @abstractmethod
    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        """Load the model at a path with the fields of a ModelConfig.

        Raises:
            ModelLoadError: the model cannot be loaded.
        """

    @abstractmethod
    def generate_stream(self, prompt: str) -> Iterator[str]:
        """Yield the answer as fragments of text.

        Raises:
            InferenceError: nothing is loaded, or the generation failed.
        """

    @abstractmethod
    def unload_model(self) -> None:
        """Let go of the model and of its memory; harmless when nothing is loaded."""

    @abstractmethod
    def get_model_info(self) -> dict[str, Any]:
        """Return facts about the loaded model, empty when nothing is loaded.

        Known keys: ``model_type``, ``device``, ``dtype``, ``engine``, ``threads``,
        ``context_length`` (tokens), ``vocab_size``, ``model_size`` (parameters).
        """

    def is_model_loaded(self) -> bool:
        """Return whether a model is loaded."""
        return self.is_loaded

    def prepare(self, model_path: str, config: dict[str, Any], prompt: str) -> None:  # noqa: B027
        """Refuse what cannot work before the weights are loaded.

        Raises:
            PromptTooLongError: the prompt does not fit the context.
            ModelLoadError: the files cannot be a model of this engine.
        """

    def prompt_size(self, model_path: str, config: Any, prompt: Any) -> PromptSize | None:
        """Return how long a prompt is, without reading the weights; None where that is not known.

        Raises:
            ModelLoadError: the files cannot be a model of this engine.
            InferenceError: the chat template fails or loses a message.
            ConfigurationError: the chat template does not know what the settings tell it.
        """
        return None

    def pieces(self, prompt: Any) -> Iterator[Piece]:
        """Yield the prompt's report, every token, and one End.

        The default serves engines that only know ``generate_stream``: each fragment counts
        as one token, and the prompt is reported as it was given.
        """
        told = prompt.as_text() if isinstance(prompt, Conversation) else prompt
        yield PromptTokens(0, told, "none")
        for text in self.generate_stream(prompt):
            yield TokenText(text)
            if self.should_stop():
                yield End("cancelled")
                return
        yield End("stop")

    def pieces_of_all(
        self, prompts: Sequence[Any], seeds: Sequence[int] = (), most: int = 1
    ) -> Iterator[tuple[int, Piece | Refused]]:
        """Yield the pieces of several answers, each with the number of its prompt from 0.

        The default answers one after another. An engine that writes several at once mixes their
        pieces; those of each come in the order of ``pieces``. Where ``should_stop`` says so, the
        answers under way end as ``cancelled`` and no further one begins.

        Args:
            prompts: each as ``pieces`` takes it.
            seeds: of each; empty for that of the settings in all.
            most: how many may be written at once.
        """
        for number, prompt in enumerate(prompts):
            self.seed = seeds[number] if seeds else None
            try:
                for piece in self.pieces(prompt):
                    yield number, piece
                    if isinstance(piece, End) and piece.reason == "cancelled":
                        return
            except REFUSED_ALONE as error:
                yield number, Refused(error)

    def device_memory_bytes(self) -> int:
        """Return the peak memory on the accelerator in bytes; 0 without one."""
        return 0


class TokenInferencer(BaseInferencer):
    """Base of engines that know their tokens: ``pieces`` is theirs, the stream follows from it."""

    def generate_stream(self, prompt: Prompt) -> Iterator[str]:
        """Yield the answer as fragments of text.

        Raises:
            InferenceError: nothing is loaded, or the generation failed.
        """
        for piece in self.pieces(prompt):
            if isinstance(piece, (TokenText, End)) and piece.text:
                yield piece.text

    @abstractmethod
    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
        """Yield the prompt's report, every token, and one End."""


def as_conversation(prompt: Prompt, system_prompt: str) -> Conversation:
    """Return what a prompt means to an engine that takes conversations.

    A conversation is whole as it is; a text or messages get the system prompt of the settings.

    Raises:
        ConfigurationError: messages that are no conversation.
    """
    if isinstance(prompt, Conversation):
        return prompt
    if isinstance(prompt, str):
        return Conversation.asking(prompt, system_prompt)
    return Conversation.of(prompt, system_prompt)


def as_prompt(inferencer: BaseInferencer, conversation: Conversation, told: str) -> Prompt:
    """Return a conversation as a user's inferencer takes it.

    One question is its text, also to a class derived from an engine that takes conversations.

    Args:
        inferencer: who is asked.
        conversation: what it is asked.
        told: the system prompt that it has read in its settings.
    """
    is_told = conversation.system == without_surrogates(told)
    if is_told and not conversation.has_several_turns and not conversation.begun:
        return conversation.question
    return conversation if inferencer.takes_conversations else conversation.as_text()
