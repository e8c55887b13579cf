"""What a child is started for; ``runners.protocol`` offers all of it beside the messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

import msgspec

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo


@dataclass(frozen=True)
class Answer:
    """Work: answer conversations, by one model that is loaded once.

    One after another in their order, or several at once: then their messages come mixed.

    Attributes:
        date: what a chat template is told of the time (ISO 8601); None for now.
        seeds: of each conversation; empty for that of the settings in all.
        batch: the most that are decoded at once. ``config.n_ctx`` is the room of one of them.
        choices: the only texts that an answer may be; empty for any text.
    """

    model: ModelInfo
    config: ModelConfig
    conversations: tuple[Conversation, ...]
    date: str | None = None
    seeds: tuple[int, ...] = ()
    batch: int = 1
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse seeds that are not one for each conversation.

        Raises:
            ValueError: there are more or fewer.
        """
        if self.seeds and len(self.seeds) != len(self.conversations):
            raise ValueError(
                f"{len(self.seeds)} seeds for {len(self.conversations)} conversations: give one "
                "for each, or none."
            )

    @property
    def at_once(self) -> int:
        """How many are decoded at once at the most: never more than there are.

        Answers that can only be one of a few texts are nearly all prompt, which a batch reads no
        faster: those come one after another.
        """
        return 1 if self.choices else max(1, min(self.batch, len(self.conversations)))

    def seed_of(self, number: int) -> int | None:
        """Return the seed of a conversation; None for that of the settings."""
        return self.seeds[number] if self.seeds else None


@dataclass(frozen=True)
class Score:
    """Work: tell how likely texts are to one model (log-probabilities of their tokens)."""

    model: ModelInfo
    config: ModelConfig
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Work on files, such as making a model: a name in the registry of jobs, and its arguments.

    ``use_gpu`` says that it may touch an accelerator.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    use_gpu: bool = False


# Takes a step of a job or a load, how much of it is done, and its total.
JobProgress = Callable[[str, float, float], None]
Work = Union[Answer, Score, Job]  # noqa: UP007


class Assignment(msgspec.Struct, frozen=True):
    """What a child is started for; crosses the pipe once, from parent to child.

    Attributes:
        work: what is to be done.
        started: ``time.monotonic()`` of the parent at the start of this run.
        factories: a list of inferencer factories, pickled by dill; empty for none.
        readable: directories and files that the child may read, for its sandbox.
        writable: directories that the child may write to.
        temporary: the child's own temporary folder; None where there is none.
        needed_bytes: the memory that the model is expected to need; 0 where nobody knows.
        memory_limit_bytes: the memory that the child may take; 0 sets no ceiling.
        verdict: what this engine's trial on this machine has found: ``settings`` to be used,
            ``library`` that answers, and what the engine ``learned`` of this model before.
        is_background: whether it may take only what nobody else wants of the processor.
    """

    work: Work
    started: float
    factories: bytes = b""
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    temporary: str | None = None
    needed_bytes: int = 0
    memory_limit_bytes: int = 0
    verdict: dict[str, Any] = {}
    is_background: bool = False

    @property
    def kind(self) -> str:
        """The name in the registry: of the model's engine, or of the job."""
        work = self.work
        return work.name if isinstance(work, Job) else work.model.model_type.value

    @property
    def config(self) -> ModelConfig | None:
        """The settings of the model that runs; None for a job."""
        return None if isinstance(self.work, Job) else self.work.config

    @property
    def is_job(self) -> bool:
        """Whether it is work on files instead of a run."""
        return isinstance(self.work, Job)

    @property
    def uses_gpu(self) -> bool:
        """Whether it may touch an accelerator."""
        work = self.work
        return work.use_gpu if isinstance(work, Job) else work.config.use_gpu

    @property
    def answers(self) -> int:
        """How many answers are to come."""
        return len(self.work.conversations) if isinstance(self.work, Answer) else 0

    @property
    def at_once(self) -> int:
        """How many answers may be told mixed, since they are decoded at once."""
        return self.work.at_once if isinstance(self.work, Answer) else 1


def with_temporary(assignment: Assignment, folder: str | None) -> Assignment:
    """Return the assignment with a temporary folder that the child may write to."""
    if folder is None:
        return assignment
    writable = (*assignment.writable, folder)
    return msgspec.structs.replace(assignment, temporary=folder, writable=writable)
