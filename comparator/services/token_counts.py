"""How many tokens models make of a question, before any of them is loaded.

Each count is made by a child that reads the vocabulary and the chat template alone, and is kept
until the model's files change. While a model is measured nothing is counted: what is not known yet
stays unknown then.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import msgspec

from comparator.comparison import warm_up
from comparator.comparison.assignments import adapters_of, files_of
from comparator.comparison.engine_trials.trials import Trials
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from comparator.core.quiet import quiet
from comparator.library.changes import child_jobs
from comparator.library.facts.store import stamp_of
from runners import protocol, registry
from runners.timeouts import Deadlines

MOST_KEPT = 512  # counts
_DEADLINES = Deadlines(load_seconds=60.0, total_seconds=90.0)  # a cold engine is imported first
_NAME = "counting tokens"
# What of the settings changes a prompt, or what it has to fit into.
_SETTINGS = (
    *("n_ctx", "prompt_format", "system_prompt", "thinking", "reasoning_effort", "template_args"),
    "trust_remote_code",
)

MOST_MEMORY_BYTES = 2_000_000_000  # for a vocabulary and a template, however large
LONGEST_REFUSAL = 2000  # characters of what a child says that are kept

CountTokens = Callable[[protocol.Assignment], str]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


@dataclass(frozen=True)
class ModelPromptSize:
    """How long a prompt is for one model.

    Attributes:
        tokens: of the rendered prompt; None where the model would not be given one.
        context: the tokens that prompt and answer may use together; None where that is unknown.
        refusal: why the model would not answer, such as a prompt that does not fit; empty where it
            would.
    """

    tokens: Tokens | None
    context: Tokens | None
    refusal: str = ""


class TokenCounts:
    """Counts tokens, each prompt once for each model. Not for event loops.

    Args:
        trials: know which build of an engine is used here.
        count: does the job in a child and returns what it tells; for tests.
    """

    def __init__(self, trials: Trials, count: CountTokens | None = None) -> None:
        self._trials = trials
        self._count = count or _counted
        self._kept: OrderedDict[str, ModelPromptSize] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, request: Request) -> list[ModelPromptSize | None]:
        """Return for each slot how long its prompt is.

        None where nobody can tell: a user's own inferencer, an engine that is not installed or
        ended, or one that was never asked and must not be now, since a model is measured.
        """
        return [
            self._of(slot, request.asked(slot), request.date, bool(request.factories))
            for slot in request.slots
        ]

    def known(self, request: Request) -> list[ModelPromptSize | None]:
        """Return the same as far as it was counted before; asks nobody."""
        keys = [_key(slot, request.asked(slot), request.date) for slot in request.slots]
        with self._lock:
            return [None if request.factories else self._kept.get(key) for key in keys]

    def of_all(
        self, slot: Slot, conversations: Sequence[Conversation], date: str | None = None
    ) -> list[ModelPromptSize] | None:
        """Return how long several prompts are for one model, counted by one child; none is kept.

        None where nobody can tell, as above.
        """
        kind = slot.model.model_type.value
        if kind not in registry.ENGINES or slot.model.problem or quiet.is_measuring:
            return None
        if registry.missing_requirements(kind):
            return None
        sizes = self._told(slot, tuple(conversations), date)
        return sizes if len(sizes) == len(conversations) else None

    def of_text(self, model: ModelInfo, text: str) -> int | None:
        """Return about how many tokens a text has, such as a file's; None as above."""
        if not text:
            return 0
        slot = Slot(model, ModelConfig(prompt_format="plain", n_ctx=None))
        size = self._of(slot, Conversation.asking(text), None)
        return size.tokens if size else None

    def _of(
        self, slot: Slot, asked: Conversation, date: str | None, has_factories: bool = False
    ) -> ModelPromptSize | None:
        kind = slot.model.model_type.value
        if has_factories or kind not in registry.ENGINES or slot.model.problem:
            return None
        key = _key(slot, asked, date)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        if quiet.is_measuring or registry.missing_requirements(kind):
            return None
        size = self._asked(slot, asked, date)
        if size is not None:
            self._keep(key, size)
        return size

    def _asked(self, slot: Slot, asked: Conversation, date: str | None) -> ModelPromptSize | None:
        """Ask a child; None where it could not tell."""
        sizes = self._told(slot, (asked,), date)
        return sizes[0] if len(sizes) == 1 else None

    def _told(
        self, slot: Slot, asked: tuple[Conversation, ...], date: str | None
    ) -> list[ModelPromptSize]:
        """Ask a child; nothing where it could not tell of all."""
        kind = slot.model.model_type.value
        warm_up.note_modules([slot.model])
        verdict = self._trials.known(kind)
        library = verdict.library if verdict else ""
        with quiet.beside(_NAME):
            told = self._count(_assignment(slot, asked, date, library))
        try:
            sizes = msgspec.json.decode(told, type=list[ModelPromptSize])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return []
        if any(size.tokens is None and not size.refusal for size in sizes):
            return []
        return [replace(size, refusal=size.refusal[:LONGEST_REFUSAL]) for size in sizes]

    def _keep(self, key: str, size: ModelPromptSize) -> None:
        with self._lock:
            self._kept[key] = size
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


def _assignment(
    slot: Slot, asked: tuple[Conversation, ...], date: str | None, library: str
) -> protocol.Assignment:
    arguments = {
        "kind": slot.model.model_type.value,
        "library": library,
        "path": slot.model.path,
        "name": slot.model.name,
        "config": replace(slot.config, n_ctx=slot.as_admitted.n_ctx),
        "conversations": asked,
        "date": date,
    }
    return protocol.Assignment(
        protocol.Job(f"count_{arguments['kind']}", arguments),
        started=time.monotonic(),
        readable=(*files_of(slot.model), *adapters_of(slot)),
        memory_limit_bytes=slot.memory_limit_bytes or MOST_MEMORY_BYTES,
        verdict={"library": library} if library else {},
    )


def _counted(assignment: protocol.Assignment) -> str:
    """Do the job and return what it tells; empty where its child ended otherwise."""
    final: protocol.Message | None = None
    for message in child_jobs.messages(assignment, deadlines=_DEADLINES):
        final = message
    return final.text if isinstance(final, protocol.Finished) else ""


def _key(slot: Slot, asked: Conversation, date: str | None) -> str:
    """Return what tells prompts apart: the model's files, what changes them, and what is asked."""
    model, settings = slot.model, asdict(slot.config)
    is_dated = model.model_type in (ModelType.GGUF, ModelType.PYTORCH)
    parts: list[Any] = [
        model.path,
        model.model_type.value,
        stamp_of(model) or model.size,
        slot.as_admitted.n_ctx,
        {name: settings[name] for name in _SETTINGS},
        asked.records(),
        asked.begun,
        (date or "")[:10] if is_dated else "",  # a template that tells the time changes by day
    ]
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def tokens_of(sizes: Sequence[ModelPromptSize | None]) -> list[int | None]:
    """Return the numbers of tokens alone."""
    return [size.tokens if size else None for size in sizes]
