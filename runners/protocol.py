"""Every message between a model's child process and the parent: the leaf both sides share.

Child to parent: one JSON object a line, decoded by a closed schema (nothing is unpickled).
Parent to child: one Assignment, once, at the start.

Every ``seconds`` counts from the moment at which the parent began this model's run, on the
clock of ``time.monotonic``, which the processes of one machine share. The child takes it
before it writes, so that a slow reader cannot falsify a speed.
"""

from __future__ import annotations

from typing import Annotated, Any, Union

import msgspec

LOOK_SECONDS = 0.12  # between two looks of the parent at tokens, at the same instants for all runs
LINE_LIMIT_BYTES = 8 * 1024 * 1024  # the longest message: a rendered prompt, escaped

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
Word = Annotated[str, msgspec.Meta(max_length=200)]
LONGEST_SENTENCE, MOST_SENTENCES = 1000, 20
Sentence = Annotated[str, msgspec.Meta(max_length=LONGEST_SENTENCE)]
Sentences = Annotated[tuple[Sentence, ...], msgspec.Meta(max_length=MOST_SENTENCES)]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all messages."""


class Hello(Message, frozen=True, tag=True):
    """The child lives. ``sandbox`` says in words what it may not do."""

    seconds: Seconds
    sandbox: Word = "off"


class Loading(Message, frozen=True, tag=True):
    """A step of the load; ``done`` of ``total`` (bytes, tensors or parts)."""

    step: Word
    done: Share
    total: Share


class Loaded(Message, frozen=True, tag=True):
    """The model is ready.

    ``context_length`` is in tokens: what this run may use, prompt and answer together.
    ``way`` says how tokens are decoded, ``fallbacks`` in whole sentences what is off and why,
    and ``learned`` what the engine found out of this model and wants to be told the next time.
    """

    seconds: Seconds
    context_length: Count
    device: Word
    dtype: Word = ""
    engine: Word = ""
    threads: Count = 0
    way: Word = ""
    fallbacks: Sentences = ()
    learned: dict[str, Any] = {}


class Prompted(Message, frozen=True, tag=True):
    """The prompt as tokens, before the model reads it (prefill)."""

    seconds: Seconds
    prompt_tokens: Count
    rendered_prompt: str
    template_source: Word
    dropped_tokens: Count = 0


class Token(Message, frozen=True, tag=True):
    """One generated token. ``text`` is what became readable by it, often part of a word.

    It is empty where a token ends inside a character or a possible stop text.
    """

    text: str
    index: Count
    seconds: Seconds


class Finished(Message, frozen=True, tag=True):
    """The end of a good run. ``text`` is what was still held back, or what a job found out.

    ``reason`` is ``stop``, ``length`` or ``cancelled``; sizes are in bytes. ``fallbacks`` are
    all those known at the end, those that ``Loaded`` told included.
    """

    reason: Word
    tokens: Count
    seconds: Seconds
    peak_bytes: Count = 0
    peak_device_bytes: Count = 0
    text: str = ""
    fallbacks: Sentences = ()


class Failed(Message, frozen=True, tag=True):
    """The end of a run by an error that the child could tell.

    ``stage`` is ``start``, ``load``, ``prompt`` or ``generate``; ``kind`` an error_kind of
    the record; ``message`` is for people; ``traceback`` is evidence.
    """

    stage: Word
    kind: Word
    message: str
    traceback: str = ""
    peak_bytes: Count = 0


ChildMessage = Union[Hello, Loading, Loaded, Prompted, Token, Finished, Failed]  # noqa: UP007


class Crashed(Message, frozen=True, tag=True):
    """Made by the parent: the child ended without a final message.

    ``kind`` is ``crashed``, or ``out_of_memory`` where that is what ended it.
    """

    exit_code: int | None
    cause: str
    stage: str
    log_tail: str
    kind: str = "crashed"


class TimedOut(Message, frozen=True, tag=True):
    """Made by the parent: ``stage`` took longer than ``limit`` seconds."""

    stage: str
    limit: float


class Cancelled(Message, frozen=True, tag=True):
    """Made by the parent: the run was stopped by the person who asked."""

    stage: str


class FellBack(Message, frozen=True, tag=True):
    """Made by the parent: what is off in this run, and why, in whole sentences.

    ``again`` tells that the model is loaded once more from the start, with safer settings.
    """

    sentences: tuple[str, ...]
    again: bool = False


class Tick(Message, frozen=True, tag=True):
    """Made by the parent about every 0.1 s, so that a stop takes effect at once."""


FINAL = (Finished, Failed, Crashed, TimedOut, Cancelled)


class Assignment(msgspec.Struct, frozen=True):
    """What a child is started for; crosses the pipe once, from parent to child.

    Attributes:
        kind: name in the registry of inferencers, or of jobs where ``job`` is True.
        model: the fields of a ModelInfo, ``model_type`` as its value.
        prompt: the prompt, for runs.
        config: the fields of a ModelConfig, or the arguments of a job.
        started: ``time.monotonic()`` of the parent at the start of this run.
        factories: a list of inferencer factories, pickled by dill; empty for none.
        job: True for work on files (making a model) instead of a run.
        readable: directories and files that the child may read, for its sandbox.
        writable: directories that the child may write to.
        temporary: the child's own temporary folder; None where there is none.
        needed_bytes: the memory that the model is expected to need; 0 where nobody knows.
        memory_limit_bytes: the memory that the child may take; 0 sets no ceiling.
        verdict: what this engine's trial on this machine has found: ``settings`` to be used,
            ``library`` that answers, and what the engine ``learned`` of this model before.
    """

    kind: str
    model: dict[str, Any]
    prompt: str
    config: dict[str, Any]
    started: float
    factories: bytes = b""
    job: bool = False
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    temporary: str | None = None
    needed_bytes: int = 0
    memory_limit_bytes: int = 0
    verdict: dict[str, Any] = {}


def with_temporary(assignment: Assignment, folder: str | None) -> Assignment:
    """Return the assignment with a temporary folder that the child may write to."""
    if folder is None:
        return assignment
    writable = (*assignment.writable, folder)
    return msgspec.structs.replace(assignment, temporary=folder, writable=writable)


class ProtocolError(Exception):
    """A child sent bytes that are no message of this protocol."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ChildMessage)


def encode(message: Message) -> bytes:
    """Return a message as one line of JSON, newline included."""
    return _encoder.encode(message) + b"\n"


class LineReader:
    """Cuts a stream of bytes into messages, without ever waiting for the rest of one."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[ChildMessage]:
        """Return the messages that became complete.

        Raises:
            ProtocolError: a line is too long, no JSON, or no message of the schema.
        """
        start = len(self._rest)
        self._rest += data
        end = self._rest.rfind(b"\n", start)
        if end < 0:
            self._check_length(len(self._rest))
            return []
        lines = bytes(self._rest[:end]).split(b"\n")
        del self._rest[: end + 1]
        self._check_length(max(len(self._rest), *(len(line) for line in lines)))
        return [self._decode(line) for line in lines]

    @staticmethod
    def _check_length(length: int) -> None:
        if length > LINE_LIMIT_BYTES:
            raise ProtocolError(f"a message of over {LINE_LIMIT_BYTES} bytes")

    @staticmethod
    def _decode(line: bytes) -> ChildMessage:
        try:
            message: ChildMessage = _decoder.decode(line)
            return message
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
            raise ProtocolError(f"no message of the protocol ({error})") from error
