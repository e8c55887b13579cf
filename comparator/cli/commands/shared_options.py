"""Groups of options that several commands have, and what is made of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comparator.cli.commands.options import (
    Assignments,
    ContextSize,
    FirstTokenTimeout,
    Force,
    Greedy,
    LoadTimeout,
    MaxMemory,
    MaxTokens,
    ModelsDirs,
    NoSource,
    ReasoningEffort,
    Seed,
    SlotSampling,
    Temperature,
    ThinkingSwitch,
    Threads,
    TokenTimeout,
    TotalTimeout,
    look_ups_in,
)
from comparator.core.config import WITHOUT_A_LIMIT
from comparator.core.config_text import assigned, number_or_none
from comparator.hosting.options import deadlines_from
from comparator.hosting.requests import AdapterLookUp, LookUp, SlotDraft
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager


@dataclass(frozen=True)
class SettingOptions:
    """The settings of all models, and with ``--set`` those of single ones."""

    max_tokens: MaxTokens = None
    temperature: Temperature = None
    seed: Seed = None
    greedy: Greedy = False
    thinking: ThinkingSwitch = None
    reasoning_effort: ReasoningEffort = None
    ctx_size: ContextSize = None
    sampling: SlotSampling = None
    threads: Threads = None
    assignments: Assignments = None

    def for_all(self) -> dict[str, Any]:
        """Return the settings that were given for all models, by their names in ModelConfig.

        Raises:
            ConfigurationError: a number is none.
        """
        named = {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            "do_sample": False if self.greedy else None,
            "thinking": self.thinking.value if self.thinking else None,
            "reasoning_effort": self.reasoning_effort,
            "n_ctx": self.ctx_size,
            "n_threads": self.threads,
            "sampling": self.sampling,
        }
        return {
            name: number_or_none(name, value) if name in WITHOUT_A_LIMIT else value
            for name, value in named.items()
            if value is not None
        }

    def slots_of(self, models: Sequence[str]) -> list[SlotDraft]:
        """Return the slots of these models, with what ``--set`` says of all and of single ones.

        Raises:
            ConfigurationError: an assignment cannot be read, or means no model.
        """
        settings = assigned(self.assignments or (), len(models))
        return [SlotDraft(*pair) for pair in zip(models, settings, strict=True)]


@dataclass(frozen=True)
class EngineOptions:
    """How much memory models may use, and how long they may take; 0 turns a limit off."""

    max_memory_gb: MaxMemory = None
    force: Force = False
    load_timeout: LoadTimeout = None
    first_token_timeout: FirstTokenTimeout = None
    token_timeout: TokenTimeout = None
    total_timeout: TotalTimeout = None

    def make(self) -> InferenceEngine:
        """Return the engine that runs what is asked."""
        deadlines = deadlines_from(
            self.load_timeout, self.first_token_timeout, self.token_timeout, self.total_timeout
        )
        return InferenceEngine(MemoryManager(self.max_memory_gb, enforce=not self.force), deadlines)


@dataclass(frozen=True)
class LibraryOptions:
    """Where models are looked for."""

    models_dir: ModelsDirs = None
    no_source: NoSource = None

    def look_ups(self) -> tuple[LookUp, AdapterLookUp]:
        """Return what finds a model, and what finds an adapter's path.

        Raises:
            MultiLLMError: as ``look_ups_in``.
        """
        return look_ups_in(self.models_dir, self.no_source)
