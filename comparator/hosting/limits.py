"""What a visitor of a public page may ask, and how often; enforced here, whatever widgets say."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from comparator.core.config import MOST_TOKENS, ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from runners.machine import cores, memory
from runners.timeouts import Deadlines

if TYPE_CHECKING:
    from comparator.hosting.requests import RequestDraft

# Settings that decide how much of the machine a run takes, or run code: not a visitor's.
OWNERS_SETTINGS = ("n_threads", "n_gpu_layers", "use_gpu", "torch_dtype", "low_cpu_mem_usage")
SMALL_MEMORY_BYTES = 4_000_000_000  # less does not keep several models' files in its page cache
_LEAST_BODY_BYTES = 1_000_000
_MOST_VISITORS = 10_000  # whose last questions are remembered


class TooOftenError(MultiLLMError):
    """A visitor, or all of them together, asked more often than the page allows."""


@dataclass(frozen=True)
class Machine:
    """What one page has to answer with.

    Attributes:
        cores: physical cores that may be used.
        memory_bytes: RAM that may be used.
    """

    cores: int
    memory_bytes: int


def this_machine() -> Machine:
    """Return what this program may use: affinity, quotas and a container's limits considered."""
    return Machine(cores.free_physical_cores(), memory.total_bytes())


@dataclass(frozen=True)
class PublicLimits:
    """How much one visitor may ask of a public page; by default, of 2 cores and 16 GB.

    Attributes:
        prompt_bytes: of a prompt with what was said before it, and of a system prompt, in UTF-8.
        tokens: written by each model (``max_tokens``).
        context_tokens: of each model (``n_ctx``).
        models: in one comparison.
        total_seconds: of each model's whole run.
        visitor_per_minute: comparisons that one visitor may begin.
        all_per_minute: comparisons that all visitors together may begin.
        waiting: comparisons in line, while one runs.
        suite_answers: of one suite: its prompts by its models by its repeats.
        suite_seconds: of one suite at a time; it can be resumed, and waits in line again.
    """

    prompt_bytes: int = 8_192
    tokens: int = 512
    context_tokens: int = 4_096
    models: int = 4
    total_seconds: float = 300.0
    visitor_per_minute: int = 6
    all_per_minute: int = 60
    waiting: int = 32
    suite_answers: int = 60
    suite_seconds: float = 600.0

    def __post_init__(self) -> None:
        """Refuse limits that are none.

        Raises:
            ConfigurationError: names the limit that is not above 0.
        """
        for name in (field.name for field in fields(self)):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"The public limit {name} must be more than 0.")

    @property
    def body_bytes(self) -> int:
        """Return the most that one request may have: twice the prompt, each byte written as six."""
        return max(_LEAST_BODY_BYTES, 16 * self.prompt_bytes)

    def check(self, draft: RequestDraft) -> None:
        """Refuse what goes beyond the limits.

        Raises:
            ConfigurationError: says which limit and what would be right.
        """
        conversation = Conversation.of(draft.prompt)
        said = [turn.content for turn in conversation.turns]
        self._check_length("prompt", *said, conversation.begun)
        self._check_length("system prompt", conversation.system)
        self._check_length("system prompt", draft.system_prompt)
        if len(draft.slots) > self.models:
            raise ConfigurationError(f"This page compares up to {self.models} models at once.")
        self._check_settings(draft.settings)
        for slot in draft.slots:
            self._check_settings({**draft.settings, **slot.settings})

    def with_usual_settings(self, draft: RequestDraft) -> RequestDraft:
        """Return the draft with the page's own values where it leaves them to a default."""
        usual = self.usual_settings
        chosen = {"max_tokens": usual.max_tokens, "n_ctx": usual.n_ctx}
        slots = [replace(slot, settings=self._bounded(slot.settings)) for slot in draft.slots]
        settings = {**chosen, **self._bounded(draft.settings)}
        given = draft.given if draft.given is not None else frozenset(draft.settings)
        return replace(draft, settings=settings, slots=slots, given=given)

    def _bounded(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings with the page's limits in place of none at all."""
        most = {"max_tokens": self._most_tokens, "n_ctx": self.context_tokens}
        return {
            name: most.get(name) if value is None else value for name, value in settings.items()
        }

    @property
    def _most_tokens(self) -> int:
        """The largest ``max_tokens`` that is both allowed and a setting."""
        return min(self.tokens, MOST_TOKENS)

    @property
    def usual_settings(self) -> ModelConfig:
        """Return the settings of a question that leaves them all to the page."""
        usual = ModelConfig()
        return replace(
            usual,
            max_tokens=min(usual.max_tokens or self.tokens, self.tokens),
            n_ctx=min(usual.n_ctx or self.context_tokens, self.context_tokens),
        )

    def deadlines(self, usual: Deadlines) -> Deadlines:
        """Return the deadlines with a whole run bounded by ``total_seconds``."""
        total = min(usual.total_seconds or self.total_seconds, self.total_seconds)
        return replace(usual, total_seconds=total)

    def _check_length(self, name: str, *texts: str) -> None:
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        if size > self.prompt_bytes:
            raise ConfigurationError(
                f"The {name} has {size} bytes; this public page takes {self.prompt_bytes}. "
                "Shorten it, or run the comparator on your own machine."
            )

    def _check_settings(self, settings: Mapping[str, Any]) -> None:
        for name in OWNERS_SETTINGS:
            if settings.get(name, None) not in (None, getattr(ModelConfig(), name)):
                raise ConfigurationError(f"{name} cannot be changed on a public page.")
        system_prompt = settings.get("system_prompt")
        if isinstance(system_prompt, str):
            self._check_length("system prompt", system_prompt)
        for name, most in (("max_tokens", self.tokens), ("n_ctx", self.context_tokens)):
            value = settings.get(name)
            if isinstance(value, (int, float)) and value > most:
                raise ConfigurationError(f"{name} may be up to {most} on this public page.")


def limits_for(machine: Machine) -> PublicLimits:
    """Return the limits that suit a machine: lower ones where it has less than two cores or 4 GB.

    A larger machine answers sooner; what it allows beyond that is its owner's to say.
    """
    limits = PublicLimits()
    if machine.cores < 2:  # half the tokens in the same time, so that a line is no longer either
        limits = replace(
            limits, tokens=256, models=2, all_per_minute=30, waiting=16, suite_answers=30
        )
    if machine.memory_bytes < SMALL_MEMORY_BYTES:
        limits = replace(limits, context_tokens=2_048, models=2)
    return limits


def limits_from(
    texts: Sequence[str], environment: Mapping[str, str], machine: Machine | None = None
) -> PublicLimits:
    """Return the limits that suit a machine, with those that were given.

    Args:
        texts: ``NAME=NUMBER``, the fields of PublicLimits.
        environment: where ``COMPARATOR_PUBLIC_<NAME>`` gives those that no text gives.
        machine: what it has; by default this one.

    Raises:
        ConfigurationError: a name is unknown, or a value is no number above 0.
    """
    kinds = {field.name: type(field.default) for field in fields(PublicLimits)}
    given = {
        name: environment[variable]
        for name in kinds
        if (variable := f"COMPARATOR_PUBLIC_{name.upper()}") in environment
    }
    for text in texts:
        name, _, value = text.partition("=")
        if name not in kinds:
            raise ConfigurationError(f"There is no limit {name!r}. There are: {', '.join(kinds)}.")
        given[name] = value
    numbers = {name: _number(name, value, kinds) for name, value in given.items()}
    return replace(limits_for(machine or this_machine()), **numbers)


def _number(name: str, text: str, kinds: Mapping[str, type]) -> Any:
    try:
        return kinds[name](text)
    except ValueError:
        raise ConfigurationError(
            f"The public limit {name} must be a number, not {text!r}."
        ) from None


class Rates:
    """Counts comparisons of the last minute, by visitor and in all; usable from any thread.

    Args:
        limits: how many are allowed.
        clock: seconds that never go back.
    """

    def __init__(self, limits: PublicLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._of_all: deque[float] = deque()
        self._of_visitor: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def note(self, visitor: str) -> None:
        """Count one comparison of a visitor.

        Raises:
            TooOftenError: it is one too many; it was not counted.
        """
        with self._lock:
            now = self._clock()
            own = self._of_visitor.setdefault(visitor, deque())
            for times in (own, self._of_all):
                while times and times[0] <= now - 60:
                    times.popleft()
            self._refuse(own, self._limits.visitor_per_minute, "You have", now)
            self._refuse(
                self._of_all, self._limits.all_per_minute, "All visitors together have", now
            )
            own.append(now)
            self._of_all.append(now)
            self._forget_the_quiet(now)

    @staticmethod
    def _refuse(times: deque[float], most: int, who: str, now: float) -> None:
        if len(times) >= most:
            wait = max(1, round(times[0] + 60 - now))
            raise TooOftenError(
                f"{who} begun {len(times)} comparisons within a minute, which is the limit. "
                f"Try again in {wait} seconds."
            )

    def _forget_the_quiet(self, now: float) -> None:
        if len(self._of_visitor) > _MOST_VISITORS:
            self._of_visitor = {
                visitor: times
                for visitor, times in self._of_visitor.items()
                if times and times[-1] > now - 60
            }
