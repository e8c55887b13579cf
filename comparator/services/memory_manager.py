"""What memory there is, what a model needs of it, and who may run with whom."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.library.model_facts import facts_of
from comparator.services import device_memory
from runners import memory

# What an engine needs beside weights and KV cache, measured on the starter models (CPU).
ENGINE_BYTES = {
    ModelType.GGUF: 80_000_000,
    ModelType.PYTORCH: 250_000_000,
    ModelType.ECHO: 10_000_000,
    ModelType.CUSTOM: 100_000_000,
}
TIGHT_SHARE = 0.85  # a need over this share of what is available is called tight
WORDS = ("fits", "tight", "cannot")
_CONTEXT_STEP, _LEAST_CONTEXT = 256, 512


@dataclass(frozen=True)
class MemoryNeed:
    """An estimate for one run, in bytes; ``device`` is the part that goes to the accelerator."""

    weights: int
    key_value_cache: int
    engine: int
    device: int = 0

    @property
    def total(self) -> int:
        """All of it, wherever it goes."""
        return self.weights + self.key_value_cache + self.engine

    @property
    def host(self) -> int:
        """What of it is RAM."""
        return self.total - self.device


@dataclass(frozen=True)
class Neighbour:
    """A child that runs already: what it is expected to need and what it holds, in bytes.

    ``held`` is without mapped files, whose pages still count as available.
    """

    need: MemoryNeed
    held: int = 0
    held_on_device: int = 0

    @property
    def to_come(self) -> int:
        """RAM that it will still take."""
        return max(0, self.need.host - self.held)

    @property
    def to_come_on_device(self) -> int:
        """Memory of the accelerator that it will still take."""
        return max(0, self.need.device - self.held_on_device)


@dataclass(frozen=True)
class Verdict:
    """Whether a model fits: ``fits``, ``tight`` or ``cannot``, and a sentence with numbers."""

    name: str
    sentence: str
    need: MemoryNeed


@dataclass(frozen=True)
class Plan:
    """How a comparison may run.

    Attributes:
        order: ``together`` or ``in turn``.
        refusals: for each model why it may not run, or None.
        needs: for each model what it is expected to need.
        limits: for each model the most RAM that its child may take, in bytes; 0 for no ceiling.
    """

    order: str
    refusals: tuple[str | None, ...]
    needs: tuple[MemoryNeed, ...] = ()
    limits: tuple[int, ...] = ()


class MemoryManager:
    """Compares what models need with what the machine can give.

    Args:
        max_memory_gb: use at most this many gigabytes (10**9 bytes) for models; None for all.
        enforce: False lets models run that cannot fit, without a ceiling; the risk is yours.
    """

    def __init__(self, max_memory_gb: float | None = None, enforce: bool = True) -> None:
        if max_memory_gb is not None and not max_memory_gb > 0:
            raise ConfigurationError(f"max_memory_gb must be more than 0, not {max_memory_gb}.")
        self.max_memory_gb = max_memory_gb
        self.enforce = enforce

    def total_bytes(self) -> int:
        """Return the RAM that this program may use: the machine's, or its container's."""
        return memory.total_bytes()

    def available_bytes(self, neighbours: Sequence[Neighbour] = ()) -> int:
        """Return what a further model may use now.

        Container limits and ``max_memory_gb`` count, and so does what running children will
        still take; what they hold already is no longer free.
        """
        available = memory.available_bytes() - sum(n.to_come for n in neighbours)
        if self.max_memory_gb is not None:
            taken = sum(max(n.need.host, n.held) for n in neighbours)
            available = min(available, int(self.max_memory_gb * 1e9) - taken)
        return max(0, available)

    def device_memory(self) -> list[dict[str, Any]]:
        """Return name, total and free bytes of each NVIDIA device; empty without one."""
        return device_memory.devices()

    def get_memory_info(self) -> dict[str, Any]:
        """Return ``total_bytes``, ``available_bytes`` and ``devices``."""
        return {
            "total_bytes": self.total_bytes(),
            "available_bytes": self.available_bytes(),
            "devices": self.device_memory(),
        }

    def estimate(self, model: ModelInfo, config: ModelConfig | None = None) -> MemoryNeed:
        """Return what a run of this model needs: weights, KV cache for its context, engine."""
        config = config or ModelConfig()
        facts = facts_of(model)
        context = min(config.n_ctx, facts.context_length or config.n_ctx)
        weights = int(model.size * _growth(model, config, facts.quantisation))
        cache = (facts.key_value_bytes_per_token or 0) * context
        share = self._device_share(model, config, facts.layers)
        return MemoryNeed(
            weights, cache, ENGINE_BYTES[model.model_type], int((weights + cache) * share)
        )

    def verdict(
        self,
        model: ModelInfo,
        config: ModelConfig | None = None,
        neighbours: Sequence[Neighbour] = (),
    ) -> Verdict:
        """Say whether a model fits now, in RAM and where it is used on the accelerator."""
        host = self.host_verdict(model, config, neighbours)
        device = self.device_verdict(model, config, neighbours)
        if device is None or WORDS.index(device.name) < WORDS.index(host.name):
            return host
        return device if device.name != host.name else _joined(host, device)

    def host_verdict(
        self,
        model: ModelInfo,
        config: ModelConfig | None = None,
        neighbours: Sequence[Neighbour] = (),
    ) -> Verdict:
        """Say whether a model's part in RAM fits."""
        need, available = self.estimate(model, config), self.available_bytes(neighbours)
        numbers = f"needs about {_gigabytes(need.host)}, {_gigabytes(available)} is free"
        name = _word(need.host, available)
        sentence = {
            "fits": f"Fits: {numbers}.",
            "tight": f"Tight: {numbers}.",
            "cannot": f"Cannot run: {numbers}. Choose a smaller quantisation or "
            f"{self._smaller_context(model, need, available)}.",
        }[name]
        return Verdict(name, sentence, need)

    def device_verdict(
        self,
        model: ModelInfo,
        config: ModelConfig | None = None,
        neighbours: Sequence[Neighbour] = (),
    ) -> Verdict | None:
        """Say whether a model's part on the accelerator fits; None where it uses none."""
        need = self.estimate(model, config)
        if not need.device:
            return None
        free = [int(device["free_bytes"]) for device in self.device_memory()]
        # llama.cpp spreads layers over all devices; transformers models go to the first.
        supply = sum(free) if model.model_type is ModelType.GGUF else (free or [0])[0]
        supply = max(0, supply - sum(n.to_come_on_device for n in neighbours))
        numbers = (
            f"needs about {_gigabytes(need.device)} of its memory, {_gigabytes(supply)} is free"
        )
        name = _word(need.device, supply)
        sentence = {
            "fits": f"Fits on the GPU: {numbers}.",
            "tight": f"Tight on the GPU: {numbers}.",
            "cannot": f"Cannot run on the GPU: {numbers}. Turn the GPU off (use_gpu), give it "
            "fewer layers (n_gpu_layers, GGUF), or choose a smaller quantisation or context.",
        }[name]
        return Verdict(name, sentence, need)

    def plan(
        self,
        models: Sequence[ModelInfo],
        configs: Sequence[ModelConfig],
        together: bool = False,
        neighbours: Sequence[Neighbour] = (),
    ) -> Plan:
        """Decide who may run, whether all at once where that was asked for, and the ceilings."""
        verdicts = [self.verdict(*pair, neighbours) for pair in zip(models, configs, strict=True)]
        needs = tuple(verdict.need for verdict in verdicts)
        refusals = tuple(
            verdict.sentence if verdict.name == "cannot" and self.enforce else None
            for verdict in verdicts
        )
        running = [need for need, refused in zip(needs, refusals, strict=True) if not refused]
        available = self.available_bytes(neighbours)
        fits = sum(need.host for need in running) <= available * TIGHT_SHARE
        fits = fits and self._devices_hold(running, neighbours)
        order = "together" if together and fits else "in turn"
        others = sum(need.host for need in running) if order == "together" else 0
        limits = tuple(self._limit(need, available - max(0, others - need.host)) for need in needs)
        return Plan(order, refusals, needs, limits)

    def cleanup(self) -> None:
        """Collect garbage in this process; the models' memory went with their processes."""
        gc.collect()

    def _devices_hold(self, needs: Sequence[MemoryNeed], neighbours: Sequence[Neighbour]) -> bool:
        wanted = sum(need.device for need in needs)
        if not wanted:
            return True
        free = sum(int(device["free_bytes"]) for device in self.device_memory())
        return wanted <= (free - sum(n.to_come_on_device for n in neighbours)) * TIGHT_SHARE

    def _limit(self, need: MemoryNeed, available: int) -> int:
        """Return a child's ceiling: all that is available, or none.

        None for GPUs, whose drivers set aside address space beyond any RAM, and at your risk.
        """
        return max(1, available) if self.enforce and not need.device else 0

    def _device_share(self, model: ModelInfo, config: ModelConfig, layers: int | None) -> float:
        """Return how much of weights and cache goes to the accelerator, 0 to 1."""
        if not device_memory.can_use_device(model.model_type) or not self.device_memory():
            return 0.0
        if model.model_type is ModelType.PYTORCH:
            return 1.0 if config.use_gpu else 0.0
        wanted = config.n_gpu_layers
        if wanted is None:
            return 1.0 if config.use_gpu else 0.0
        return 1.0 if wanted < 0 else min(1.0, wanted / ((layers or wanted or 1) + 1))

    def _smaller_context(self, model: ModelInfo, need: MemoryNeed, available: int) -> str:
        """Say which context would fit, where one would."""
        per_token = facts_of(model).key_value_bytes_per_token or 0
        left = available - (need.host - need.key_value_cache)
        if not per_token or need.device or left < per_token * _LEAST_CONTEXT:
            return "a smaller context (n_ctx)" if need.key_value_cache else "another model"
        tokens = left // per_token // _CONTEXT_STEP * _CONTEXT_STEP
        return f"a context (n_ctx) of at most {tokens} tokens"


def _word(need: int, available: int) -> str:
    if need > available:
        return "cannot"
    return "tight" if need > available * TIGHT_SHARE else "fits"


def _joined(one: Verdict, other: Verdict) -> Verdict:
    return Verdict(one.name, f"{one.sentence} {other.sentence}", one.need)


def _growth(model: ModelInfo, config: ModelConfig, quantisation: str | None) -> float:
    """Return how weights change in size when they are loaded with another type of number."""
    if model.model_type is not ModelType.PYTORCH or config.torch_dtype == "auto":
        return 1.0
    on_disk = 4 if quantisation == "float32" else 2
    return (4 if config.torch_dtype == "float32" else 2) / on_disk


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
