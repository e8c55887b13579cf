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

from runners.work import Answer as Answer
from runners.work import Assignment as Assignment
from runners.work import Job as Job
from runners.work import JobProgress as JobProgress
from runners.work import Score as Score
from runners.work import Work as Work
from runners.work import with_temporary as with_temporary

LOOK_SECONDS = 0.12  # between two looks of the parent at tokens, at the same instants for all runs
LINE_LIMIT_BYTES = 8 * 1024 * 1024  # the longest message: a rendered prompt, escaped

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
Word = Annotated[str, msgspec.Meta(max_length=200)]
LONGEST_SENTENCE, MOST_SENTENCES = 1000, 20
Sentence = Annotated[str, msgspec.Meta(max_length=LONGEST_SENTENCE)]
Sentences = Annotated[tuple[Sentence, ...], msgspec.Meta(max_length=MOST_SENTENCES)]
MOST_MARKS = 8192  # special tokens of a prompt whose places are told


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


class ProcessorTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the child got of the processor in one stage, as ``runners.machine.processor_share``.

    In seconds, and a number of cores; None for what its system does not tell. The share follows
    from them, so it is not sent.
    """

    run_seconds: Seconds | None = None
    waited_seconds: Seconds | None = None
    throttled_seconds: Seconds | None = None
    stolen_seconds: Seconds | None = None
    others_seconds: Seconds | None = None
    elapsed_seconds: Seconds = 0.0
    quota_cores: Seconds | None = None


class Loaded(Message, frozen=True, tag=True):
    """The model is ready.

    ``context_length`` is in tokens: what this run may use, prompt and answer together.
    ``way`` says how tokens are decoded, ``fallbacks`` in whole sentences what is off and why,
    and ``learned`` what the engine found out of this model and wants to be told the next time.
    ``processor`` is what the load got.
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
    processor: ProcessorTime | None = None


class Prompted(Message, frozen=True, tag=True):
    """The prompt as tokens, before the model reads it (prefill).

    ``answer`` is the number of the answer that it begins, counted from 0; ``date`` what the chat
    template was told of the time, and ``notes`` are as ``PromptReport`` has them. ``special`` are
    the places in the text (begin, end, begin, end, …, in characters) of what the model reads as
    special tokens, and ``first_token`` is one before the text, such as BOS.
    """

    seconds: Seconds
    prompt_tokens: Count
    rendered_prompt: str
    template_source: Word
    dropped_tokens: Count = 0
    answer: Count = 0
    date: Word | None = None
    notes: Sentences = ()
    special: Annotated[tuple[Count, ...], msgspec.Meta(max_length=2 * MOST_MARKS)] = ()
    first_token: Word = ""


class Token(Message, frozen=True, tag=True, omit_defaults=True):
    """One generated token. ``text`` is what became readable by it, often part of a word.

    It is empty where a token ends inside a character, a possible stop text, or what may mark a
    thought. ``index`` counts the tokens of its answer from 1.

    ``thought`` is the same of what the model thinks before it answers, and ``thought_tokens`` how
    many tokens are found to be its by this one: usually itself, or those before it that might have
    been an answer's. ``was_thought`` says, once at the most, that all text of this answer told
    before is a thought: what ends one came, and nothing had begun it.
    """

    text: str
    index: Count
    seconds: Seconds
    answer: Count = 0
    thought: str = ""
    thought_tokens: Count = 0
    was_thought: bool = False


class Answered(Message, frozen=True, tag=True):
    """The end of one answer; the run goes on. ``text`` is what was still held back.

    ``thought``, ``thought_tokens`` and ``was_thought`` are as in ``Token``.
    ``reason`` is ``stop``, ``length``, ``cancelled``, or ``error`` where this conversation alone
    was refused and others are still answered; then ``error`` says why and ``error_kind`` is as
    in the record. ``prefill`` is what it got of the processor until its first token, ``decode``
    from there on; None where it never came to one, and of one of several that were written at
    once. ``batch`` is the most answers that shared a step of the model with it, itself included:
    where that is more than 1 its times are no speed of one.
    """

    reason: Word
    tokens: Count
    seconds: Seconds
    text: str = ""
    answer: Count = 0
    error: str = ""
    error_kind: Word = ""
    prefill: ProcessorTime | None = None
    decode: ProcessorTime | None = None
    thought: str = ""
    thought_tokens: Count = 0
    was_thought: bool = False
    batch: Count = 1


class Finished(Message, frozen=True, tag=True):
    """The end of a good run, after the last of its answers. ``text`` is what a job found out.

    Sizes are in bytes. ``fallbacks`` are all those known at the end, those that ``Loaded`` told
    included.
    """

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


ChildMessage = Union[  # noqa: UP007
    Hello, Loading, Loaded, Prompted, Token, Answered, Finished, Failed
]


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


FINAL = (Finished, Failed, Crashed, TimedOut, Cancelled)


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
