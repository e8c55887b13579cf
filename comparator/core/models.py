"""What a model is and what a run of it yields: plain values, shared by every layer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.location import Location, Place

__all__ = [
    "InferenceResult",
    "InferenceStats",
    "ModelConfig",
    "ModelInfo",
    "ModelType",
    "PromptReport",
    "RunState",
    "Thinking",
    "told_apart",
]


class ModelType(Enum):
    """Which engine runs a model."""

    PYTORCH = "pytorch"
    GGUF = "gguf"
    ECHO = "echo"
    CUSTOM = "custom"


class RunState(str, Enum):
    """Where one model's run stands, in the words that a person reads."""

    WAITING = "waiting"
    STARTING = "starting"
    LOADING = "loading"
    READING = "reading the prompt"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass
class ModelInfo:
    """One model on disk.

    Attributes:
        id: stable identifier; made from the path where it is empty.
        name: what a person calls it.
        path: a file (GGUF) or a directory (transformers).
        model_type: the engine that runs it.
        size: bytes of all its weight files.
        config: the caller's own, and what came with a model (of Ollama its ``template``, ``system``
            and ``parameters``). ``problem``, ``source`` and ``places`` put here count as those of
            the location and go before them.
        location: where it was found.
    """

    id: str
    name: str
    path: str
    model_type: ModelType
    size: int
    config: dict[str, Any] = field(default_factory=dict)
    location: Location = field(default_factory=Location)

    def __post_init__(self) -> None:
        """Make the id where none was given."""
        if not self.id:
            self.id = self.generate_id()

    def generate_id(self) -> str:
        """Return the first eight hexadecimal digits of the MD5 of the path."""
        digest = hashlib.md5(self.path.encode("utf-8", "surrogateescape"), usedforsecurity=False)
        return digest.hexdigest()[:8]

    @property
    def problem(self) -> str | None:
        """Why this entry cannot be loaded, or None when nothing speaks against it."""
        return self.config.get("problem") or self.location.problem

    @property
    def source(self) -> str:
        """The key of the program that keeps it; ``folder`` for the user's own folders."""
        return self.config.get("source") or self.location.source

    @property
    def places(self) -> tuple[Place, ...]:
        """All places where it lies, the one used first; never empty."""
        given = tuple(Place.of(place) for place in self.config.get("places") or ())
        alone = (Place(self.source, self.path, self.name),)
        return given or self.location.places or alone

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ModelInfo:
        """Return the model that the ``model`` part of a record tells of; none is looked for."""
        kinds = {kind.value: kind for kind in ModelType}
        return cls(
            str(record["id"]),
            str(record.get("name") or record["id"]),
            str(record.get("path") or record.get("file") or ""),
            kinds.get(str(record.get("model_type")), ModelType.CUSTOM),
            int(record.get("size") or 0),
        )

    def to_record(self) -> dict[str, Any]:
        """Return the ``model`` part of a record, ready for JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "model_type": self.model_type.value,
            "path": self.path,
            "size": self.size,
        }


@dataclass
class InferenceStats:
    """The numbers of one run.

    Attributes:
        start_time: wall clock at the start, seconds since the epoch.
        end_time: wall clock at the end, after the child process was reaped.
        token_count: generated tokens (tokens of the model, not fragments of text).
        tokens_per_second: decode speed, (tokens - 1) / (last token - first token).
        memory_usage: peak private memory (USS) of the child process, bytes.
        load_seconds: from the start of the run until the model was ready.
        time_to_first_token: from the start of the run, load included, seconds.
        prompt_tokens: tokens of the rendered prompt.
        finish_reason: ``stop``, ``length``, ``cancelled`` or ``error``.
        device_memory_usage: peak memory on the accelerator, bytes; None without one.
        start_seconds: how long its engine's libraries were imported, and the engine tried, before
            the start of the run; 0.0 where it was warm.
        cpu_share: what its process got of the processor time that it asked for, while it read the
            prompt and wrote, 0 to 1; None where the system does not tell.
        cpu_shares: the same of each stage: ``load``, ``prefill`` and ``decode``.
        disturbed: those of these stages in which so much was taken that their speed is not the
            model's own; the record's ``notice`` says by whom.
        files_cached: how much of its files was in the system's cache when the load began, 0 to 1;
            None where the system does not tell.
        time_to_first_answer_token: as ``time_to_first_token``, of the first token after what the
            model thinks; None where no answer came.
        characters_per_second: characters of thought and answer after the first token's, over the
            time from the first token to the last: a speed that does not hang on a tokenizer.
    """

    start_time: float
    end_time: float | None = None
    token_count: int = 0
    tokens_per_second: float | None = None
    memory_usage: int | None = None
    load_seconds: float | None = None
    time_to_first_token: float | None = None
    prompt_tokens: int | None = None
    finish_reason: str | None = None
    device_memory_usage: int | None = None
    start_seconds: float = 0.0
    cpu_share: float | None = None
    cpu_shares: dict[str, float | None] = field(
        default_factory=lambda: dict.fromkeys(("load", "prefill", "decode"))
    )
    disturbed: list[str] = field(default_factory=list)
    files_cached: float | None = None
    time_to_first_answer_token: float | None = None
    characters_per_second: float | None = None

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, load included; None while it runs."""
        if self.end_time is None:
            return None
        return self.end_time - self.start_time

    def to_record(self) -> dict[str, Any]:
        """Return the ``stats`` part of a record, ready for JSON."""
        return {**asdict(self), "duration": self.duration}


@dataclass
class PromptReport:
    """What the model was really given.

    Attributes:
        rendered: the text after the chat template, or the plain prompt.
        template_source: ``gguf``, ``tokenizer``, ``fallback`` or ``none`` (plain completion).
        dropped_tokens: tokens cut from the prompt; always 0, since nothing is cut.
        messages: the conversation that it was rendered from, as ``role`` and ``content``.
        date: what the chat template was told of the time, as ISO 8601: the day, with the time of
            day where it asked for that; None where it did not ask.
        notes: whole sentences on what became of the conversation, such as a system prompt that the
            template takes only inside the first message; the record's ``notice`` has them, too.
        special: begin and end of each special token in ``rendered``, one after another, in
            characters; what a person typed is text and none of them.
        first_token: a special token that the model read before ``rendered``, such as BOS.
        continued: how many characters of ``content`` were written before, as the begin of an answer
            that this run went on with; 0 for a whole answer. All figures are of the rest alone.
    """

    rendered: str = ""
    template_source: str = "none"
    dropped_tokens: int = 0
    messages: list[dict[str, str]] = field(default_factory=list)
    date: str | None = None
    notes: list[str] = field(default_factory=list)
    special: list[int] = field(default_factory=list)
    first_token: str = ""
    continued: int = 0


@dataclass(frozen=True)
class Thinking:
    """What a model thought before it answered.

    Attributes:
        text: the thought, without what marks it.
        tokens: tokens of it, those that mark it included.
        seconds: from its first token to its last.
    """

    text: str
    tokens: int
    seconds: float


@dataclass
class InferenceResult:
    """One model's answer, as far as it has come.

    Attributes:
        model_id: the id under which the model was asked.
        content: the answer so far, without what the model thought before it.
        is_complete: True when nothing will be added; true also of failures.
        error: what went wrong and what to do, in words; None when all went well.
        stats: the numbers.
        error_kind: ``load``, ``out_of_memory``, ``crashed``, ``timeout``, ``inference``,
            ``configuration`` or ``refused``.
        state: where the run stands; ``progress`` adds the share of the load done (0 to 1).
        model: the model asked.
        config: every setting really sent.
        config_sources: where each of them comes from: ``default``, ``given``, ``maker`` or
            ``drawn`` (a seed).
        sent: those settings that the parent decided in place of ``config``'s, such as threads
            shared by models that run together, by name.
        prompt: what the model was really given.
        engine: name, version, device, dtype, threads and context length of what answered, the
            ``way`` in which it decodes tokens, and ``fallbacks``: sentences on what is off.
        receipt: what the machine had free before the run and after the child's exit, the peak of
            its memory and what was expected of it (``estimated_bytes``), all in bytes;
            ``samples``: what it held over its time, and ``devices``: what accelerators had free;
            ``processor``: by stage, the seconds that it ran, waited for a core, was held back by a
            quota (``throttled``), and what the host (``stolen``) and other programs took.
        log_tail: the last lines that the child printed, kept as evidence.
        notice: anything a reader should know, such as replaced characters in the prompt.
        thinking: what it thought before it answered, as far as it has come; None for nothing.
        comparison: the id by which it is in the history; None where it is not kept.
    """

    model_id: str
    content: str
    is_complete: bool
    error: str | None
    stats: InferenceStats
    error_kind: str | None = None
    state: RunState = RunState.WAITING
    progress: float | None = None
    model: ModelInfo | None = None
    config: dict[str, Any] = field(default_factory=dict)
    config_sources: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)
    prompt: PromptReport = field(default_factory=PromptReport)
    engine: dict[str, Any] = field(default_factory=dict)
    receipt: dict[str, Any] = field(default_factory=dict)
    log_tail: str = ""
    notice: str | None = None
    thinking: Thinking | None = None
    comparison: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> InferenceResult:
        """Return the result that a record was made of (``to_record``).

        What a record of an earlier version lacks is as by default, and what it has beyond that is
        left out.

        Raises:
            KeyError: it has no ``model`` with an ``id``.
        """
        model, thinking = record["model"], record.get("thinking")
        said = _known(cls, record)
        said["state"] = RunState(record.get("state", RunState.DONE.value))
        said["stats"] = InferenceStats(
            **{"start_time": 0.0, **_known(InferenceStats, record.get("stats") or {})}
        )
        said["prompt"] = PromptReport(**_known(PromptReport, record.get("prompt") or {}))
        said["thinking"] = Thinking(**_known(Thinking, thinking)) if thinking else None
        said["model"] = ModelInfo.from_record(model) if "name" in model else None
        usual = {"content": "", "is_complete": True, "error": None}
        return cls(**{**usual, **said, "model_id": str(model["id"])})

    @property
    def fallbacks(self) -> list[str]:
        """What is off in this run and why, in whole sentences; empty when nothing is."""
        return list(self.engine.get("fallbacks", ()))

    def to_record(self) -> dict[str, Any]:
        """Return the record of DESIGN's contract: one JSON object a model."""
        return {
            "model": self.model.to_record() if self.model else {"id": self.model_id},
            "content": self.content,
            "thinking": asdict(self.thinking) if self.thinking else None,
            "is_complete": self.is_complete,
            "error": self.error,
            "error_kind": self.error_kind,
            "state": self.state.value,
            "stats": self.stats.to_record(),
            "config": dict(self.config),
            "config_sources": dict(self.config_sources),
            "sent": dict(self.sent),
            "prompt": asdict(self.prompt),
            "engine": dict(self.engine),
            "receipt": dict(self.receipt),
            "notice": self.notice,
            "log_tail": self.log_tail,
            "comparison": self.comparison,
        }


def _known(kind: type[Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a record are fields of a dataclass."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in record.items() if name in names}


def told_apart(models: Iterable[ModelInfo]) -> list[ModelInfo]:
    """Return models with ids that differ: the second of an id gets ``#2`` and so on."""
    result: list[ModelInfo] = []
    for model in models:
        taken = {other.id for other in result}
        plain, number, name = model.id, 1, model.id
        while name in taken:
            number += 1
            name = f"{plain}#{number}"
        result.append(model if name == plain else replace(model, id=name))
    return result
