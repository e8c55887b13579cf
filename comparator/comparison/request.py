"""What is asked of a comparison, what its runs are told, and what is learned from them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from comparator.comparison.slot_settings import GivenSettings, settings_of
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.lora import Adapter, adapter_of, with_home
from comparator.core.models import ModelInfo
from comparator.library.labels import kind_line
from runners.process import Deadlines


class Files(str, Enum):
    """How the files of models are when they are loaded, so that all columns are alike."""

    AS_THEY_ARE = ""
    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True)
class Slot:
    """One column of a comparison: a model with its settings.

    Attributes:
        label: engine, quantisation and size in words, for those who show it.
        refusal: why it may not run (such as memory), or None.
        needed_bytes: the RAM that it is expected to need; 0 where nobody knows.
        memory_limit_bytes: the RAM that its child may take; 0 sets no ceiling.
        estimated_bytes: what its private memory in RAM is expected to reach.
        surplus_bytes: what of that is known from an earlier run alone.
        estimated_device_bytes: what it is expected to take of accelerators.
        gpu_layers: layers chosen for the accelerator where its settings leave that open.
        context_tokens: the context chosen where its settings ask for as much as fits.
        lora: its adapters as paths, where its settings have their names in the library.
        sources: where each of its settings comes from (``slot_settings``).
        notice: what a reader should know of it.
        estimate_notice: what the estimate of its memory says of its settings.
        conversation: what this column alone is asked, such as a further turn of its own history;
            None for what all are asked.
    """

    model: ModelInfo
    config: ModelConfig
    label: str = ""
    refusal: str | None = None
    needed_bytes: int = 0
    memory_limit_bytes: int = 0
    estimated_bytes: int = 0
    surplus_bytes: int = 0
    estimated_device_bytes: int = 0
    gpu_layers: int | None = None
    context_tokens: int | None = None
    lora: tuple[str, ...] | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""
    estimate_notice: str = ""
    conversation: Conversation | None = None

    @classmethod
    def of(cls, model: ModelInfo, config: ModelConfig, given: GivenSettings | None = None) -> Slot:
        """Return a slot with its label and the values really sent.

        A look at the model's facts, not to be done again. ``given`` are the settings that a person
        gave, None for those that are not as by default.
        """
        settings = settings_of(model, config, given)
        label = " · ".join([kind_line(model), *map(_adapter_label, settings.config.lora)])
        return cls(model, settings.config, label, sources=settings.sources, notice=settings.notice)

    @property
    def adapters(self) -> tuple[str, ...]:
        """Its adapters, each a path or ``PATH:SCALE``."""
        return self.lora if self.lora is not None else tuple(map(with_home, self.config.lora))

    @property
    def needed(self) -> ModelConfig:
        """Its settings as the estimate of its memory reads them."""
        return replace(self.config, lora=list(self.adapters))

    @property
    def as_admitted(self) -> ModelConfig:
        """Its settings with what was chosen for it."""
        context = self.context_tokens if self.config.n_ctx is None else self.config.n_ctx
        return replace(self.needed, n_ctx=context)

    def anew(self) -> Slot:
        """Return it as it was before anybody decided whether it may run."""
        return Slot(
            self.model,
            self.config,
            self.label,
            lora=self.lora,
            sources=self.sources,
            notice=self.notice,
            conversation=self.conversation,
        )


def _adapter_label(text: str) -> str:
    adapter = adapter_of(text)
    name = os.path.basename(adapter.name.rstrip("/")).removesuffix(".gguf")
    return f"LoRA {Adapter(name, adapter.scale).as_text()}"


@dataclass(frozen=True)
class Request:
    """What is asked of a comparison.

    Attributes:
        conversation: what every slot is asked; its own system prompt goes before it.
        slots: one or more columns.
        together: run all at once, sharing the cores, instead of one after another.
        wants_together: whether that was asked for, also where memory forbade it.
        factories: the user's inferencer factories, pickled by dill.
        deadlines: how long each stage may take.
        notice: said in every result.
        files: whether each model's files are taken out of the system's cache before its run, or
            read into it.
        on_page: whether a browser on this machine shows it, which takes processor time.
        date: what chat templates are told where they ask for the time, the same in every column;
            None for the moment at which each is asked.
        parent: the comparison in the history that it goes on from, or None.
    """

    conversation: Conversation
    slots: Sequence[Slot]
    together: bool = False
    wants_together: bool = False
    factories: bytes = b""
    deadlines: Deadlines = field(default_factory=Deadlines)
    notice: str | None = None
    files: Files = Files.AS_THEY_ARE
    on_page: bool = False
    date: str | None = None
    parent: str | None = None

    def asked(self, slot: Slot) -> Conversation:
        """Return what a slot is asked, with its own system prompt where it has one."""
        conversation = slot.conversation or self.conversation
        return conversation.with_system(slot.config.system_prompt)


@dataclass(frozen=True)
class Advice:
    """What a run is told of earlier trials and runs, and what is to be said of it.

    Attributes:
        verdict: as ``Assignment.verdict``.
        sentences: what is off and why; empty when nothing is.
        start_seconds: how long it took until its engine was warm and tried.
        files_cached: how much of its files is in the system's cache, 0 to 1; None where nobody
            tells.
        notice: what is to be said of its files; empty where nothing is.
        sent: settings that were decided for it in place of what was asked, by name.
    """

    verdict: dict[str, Any] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    start_seconds: float = 0.0
    files_cached: float | None = None
    notice: str = ""
    sent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lesson:
    """What is to be known of a model when it runs the next time.

    Attributes:
        verdict: what the run was told.
        learned: what its engine found out of it.
        crash: how it died, where it did before its first token and then ran with safe settings.
    """

    verdict: dict[str, Any]
    learned: dict[str, Any]
    crash: str | None
