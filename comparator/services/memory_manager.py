"""What memory there is, what a model needs of it, and who may run with whom."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.lookup import facts_of
from comparator.memory import devices
from comparator.memory import need as memory_need
from comparator.memory.need import MemoryNeed
from comparator.memory.placement import ALL_LAYERS, can_spread
from comparator.storage.measurements import Measured
from runners.machine import memory

TIGHT_SHARE = 0.85  # a need over this share of what is available is called tight
WORDS = ("fits", "tight", "cannot")
_LEAST_CONTEXT = 512
_MOST_SURPLUS = 0.10  # of an estimate: what it may be wrong by


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

    @property
    def rank(self) -> tuple[int, bool]:
        """How well it lets run what was asked for; of two plans of one request, more is better."""
        return -sum(refusal is not None for refusal in self.refusals), self.order == "together"


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
        self._figures_of: Callable[[str], Mapping[str, float]] = lambda _kind: {}
        self._measured_of: Callable[[ModelInfo], Measured | None] = lambda _model: None

    def learn_from(
        self,
        figures_of: Callable[[str], Mapping[str, float]],
        measured_of: Callable[[ModelInfo], Measured | None],
    ) -> None:
        """Make estimates a matter of this machine.

        Args:
            figures_of: returns what the trial of a kind's engine measured; it makes none.
            measured_of: returns what is known of a model from its runs here.
        """
        self._figures_of, self._measured_of = figures_of, measured_of

    def total_bytes(self) -> int:
        """Return the RAM that this program may use: the machine's, or its container's."""
        return memory.total_bytes()

    def available_bytes(self, neighbours: Sequence[Neighbour] = (), spare_bytes: int = 0) -> int:
        """Return what a further model may use now.

        Container limits and ``max_memory_gb`` count, and so does what running children will
        still take; what they hold already is no longer free. ``spare_bytes`` of our own would be
        given back first.
        """
        free = memory.available_bytes() + spare_bytes
        available = free - sum(n.to_come for n in neighbours)
        if self.max_memory_gb is not None:
            taken = sum(max(n.need.host, n.held) for n in neighbours)
            available = min(available, int(self.max_memory_gb * 1e9) - taken)
        return max(0, available)

    def device_memory(self) -> list[dict[str, Any]]:
        """Return name, total and free bytes of each NVIDIA device; empty without one."""
        return devices.devices()

    def get_memory_info(self) -> dict[str, Any]:
        """Return ``total_bytes``, ``available_bytes`` and ``devices``."""
        return {
            "total_bytes": self.total_bytes(),
            "available_bytes": self.available_bytes(),
            "devices": self.device_memory(),
        }

    def estimate(
        self,
        model: ModelInfo,
        config: ModelConfig | None = None,
        prompt_tokens: int | None = None,
    ) -> MemoryNeed:
        """Return what a run needs: weights, KV cache for its context, engine, compute buffers.

        ``prompt_tokens`` is how long the prompt is about; None takes the whole context.
        """
        free: list[int] = []
        if devices.can_use_device(model.model_type):
            free = [int(device["free_bytes"]) for device in self.device_memory()]
        figures = self._figures_of(model.model_type.value)
        need = memory_need.estimate(model, config or ModelConfig(), free, prompt_tokens, figures)
        return replace(need, surplus=_surplus(self._measured_of(model), need.peak))

    def verdict(
        self,
        model: ModelInfo,
        config: ModelConfig | None = None,
        neighbours: Sequence[Neighbour] = (),
        prompt_tokens: int | None = None,
        spare_bytes: int = 0,
    ) -> Verdict:
        """Say whether a model fits now, in RAM and where it is used on the accelerator."""
        need = self.estimate(model, config, prompt_tokens)
        available = self.available_bytes(neighbours, spare_bytes)
        host = self._host_verdict(model, config or ModelConfig(), need, available)
        device = self._device_verdict(model, need, neighbours)
        if device is None or WORDS.index(device.name) < WORDS.index(host.name):
            return host
        return device if device.name != host.name else _joined(host, device)

    def plan(
        self,
        models: Sequence[ModelInfo],
        configs: Sequence[ModelConfig],
        together: bool = False,
        neighbours: Sequence[Neighbour] = (),
        prompt_tokens: int | None = None,
        spare_bytes: int = 0,
    ) -> Plan:
        """Decide who may run, whether all at once where that was asked for, and the ceilings.

        ``spare_bytes`` counts as free: what this program could give back.
        """
        pairs = zip(models, configs, strict=True)
        verdicts = [self.verdict(*pair, neighbours, prompt_tokens, spare_bytes) for pair in pairs]
        needs = tuple(verdict.need for verdict in verdicts)
        refusals = tuple(
            verdict.sentence if verdict.name == "cannot" and self.enforce else None
            for verdict in verdicts
        )
        running = [need for need, refused in zip(needs, refusals, strict=True) if not refused]
        available = self.available_bytes(neighbours, spare_bytes)
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

    def _host_verdict(
        self,
        model: ModelInfo,
        config: ModelConfig,
        need: MemoryNeed,
        available: int,
    ) -> Verdict:
        """Say whether a model's part in RAM fits."""
        numbers = f"needs about {_gigabytes(need.host)}, {_gigabytes(available)} is free"
        name = _word(need.host, available)
        sentence = {
            "fits": f"Fits: {numbers}.",
            "tight": f"Tight: {numbers}.",
            "cannot": f"Cannot run: {numbers}. Choose a smaller quantisation or "
            f"{_smaller_context(model, config, need, available)}.",
        }[name]
        return Verdict(name, sentence, need)

    def _device_verdict(
        self, model: ModelInfo, need: MemoryNeed, neighbours: Sequence[Neighbour]
    ) -> Verdict | None:
        """Say whether a model's part on the accelerator fits; None where it uses none."""
        if not need.device:
            return None
        free = [int(device["free_bytes"]) for device in self.device_memory()] or [0]
        # llama.cpp spreads layers over all devices; transformers does with accelerate.
        spreads = model.model_type is ModelType.GGUF or can_spread()
        supply = sum(free) if spreads else free[0]
        supply = max(0, supply - sum(n.to_come_on_device for n in neighbours))
        numbers = (
            f"needs about {_gigabytes(need.device)} of its memory, {_gigabytes(supply)} is free"
        )
        name = _word(need.device, supply)
        if name == "tight" and need.gpu_layers not in (None, ALL_LAYERS):
            name = "fits"  # so many layers were chosen as fit
        sentence = {
            "fits": f"Fits on the GPU{_layers_in_words(model, need)}: {numbers}.",
            "tight": f"Tight on the GPU: {numbers}.",
            "cannot": f"Cannot run on the GPU: {numbers}. Turn the GPU off (use_gpu), give it "
            "fewer layers (n_gpu_layers, GGUF), or choose a smaller quantisation or context.",
        }[name]
        return Verdict(name, sentence, need)


def _surplus(measured: Measured | None, estimated: int) -> int:
    """Return what a model's last run took beyond what was expected, where that is much.

    An estimate is never lowered: a run that took less may have ended early. It is raised to no
    more than that run took: it may know the reason by now.
    """
    if measured is None or not measured.estimated_bytes:
        return 0
    beyond = measured.peak_bytes - measured.estimated_bytes
    if beyond <= measured.estimated_bytes * _MOST_SURPLUS:
        return 0
    return max(0, min(beyond, measured.peak_bytes - estimated))


def _layers_in_words(model: ModelInfo, need: MemoryNeed) -> str:
    if need.gpu_layers in (None, ALL_LAYERS):
        return ""
    return f" with {need.gpu_layers} of {facts_of(model).layers} layers, the rest in RAM"


def _smaller_context(
    model: ModelInfo, config: ModelConfig, need: MemoryNeed, available: int
) -> str:
    """Say which context would fit, where one would: the cache grows with it, evenly or less."""
    if not need.key_value_cache:
        return "another model"
    left = available - (need.host - need.key_value_cache)
    context = min(config.n_ctx, facts_of(model).context_length or config.n_ctx)
    step = memory_need.CONTEXT_STEP
    tokens = int(context * left / need.key_value_cache) // step * step
    if need.device or tokens < _LEAST_CONTEXT:
        return "a smaller context (n_ctx)"
    return f"a context (n_ctx) of at most {tokens} tokens"


def _word(need: int, available: int) -> str:
    if need > available:
        return "cannot"
    return "tight" if need > available * TIGHT_SHARE else "fits"


def _joined(one: Verdict, other: Verdict) -> Verdict:
    return Verdict(one.name, f"{one.sentence} {other.sentence}", one.need)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
