"""What memory there is, what a model needs of it, and who may run with whom."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo
from comparator.memory import devices, fit
from comparator.memory import need as memory_need
from comparator.memory.context import Room, fitted
from comparator.memory.fit import TIGHT_SHARE, Fit, Neighbour
from comparator.memory.need import MemoryNeed
from comparator.storage.measurements import Measured
from runners.machine import memory


@dataclass(frozen=True)
class Plan:
    """How a comparison may run.

    Attributes:
        order: ``together`` or ``in turn``.
        refusals: for each model why it may not run, or None.
        needs: for each model what it is expected to need.
        limits: for each model the most RAM that its child may take, in bytes; 0 for no ceiling.
        contexts: for each model its context in tokens, None where nobody has to know.
    """

    order: str
    refusals: tuple[str | None, ...]
    needs: tuple[MemoryNeed, ...] = ()
    limits: tuple[int, ...] = ()
    contexts: tuple[int | None, ...] = ()

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
        batch: int = 1,
    ) -> MemoryNeed:
        """Return what a run needs: weights, KV cache for its context, engine, compute buffers.

        ``prompt_tokens`` is how long the prompt is about; None takes the whole context. ``batch``
        answers at once have a context each.
        """
        free: list[int] = []
        if devices.can_use_device(model.model_type):
            free = [int(device["free_bytes"]) for device in self.device_memory()]
        figures = self._figures_of(model.model_type.value)
        need = memory_need.estimate(
            model, config or ModelConfig(), free, prompt_tokens, figures, batch
        )
        return replace(need, surplus=fit.surplus(self._measured_of(model), need.peak))

    def has_room(self, need: MemoryNeed, neighbours: Sequence[Neighbour] = ()) -> bool:
        """Tell whether a need fits without being tight, in RAM and on accelerators."""
        if not self.enforce:
            return True
        is_there = need.host <= self.available_bytes(neighbours) * TIGHT_SHARE
        return is_there and self._devices_hold([need], neighbours)

    def fit(
        self,
        model: ModelInfo,
        config: ModelConfig | None = None,
        neighbours: Sequence[Neighbour] = (),
        prompt_tokens: int | None = None,
        spare_bytes: int = 0,
    ) -> Fit:
        """Say whether a model fits now, in RAM and where it is used on the accelerator."""
        need = self.estimate(model, config, prompt_tokens)
        available = self.available_bytes(neighbours, spare_bytes)
        host = fit.on_host(model, config or ModelConfig(), need, available)
        if not need.device:
            return host
        free = [int(device["free_bytes"]) for device in self.device_memory()]
        to_come = sum(neighbour.to_come_on_device for neighbour in neighbours)
        return fit.worse_of(host, fit.on_device(model, need, free, to_come))

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

        ``spare_bytes`` counts as free: what this program could give back. A context that is to be
        as large as fits is chosen here.
        """
        available = self.available_bytes(neighbours, spare_bytes)
        room = Room(available, self._free_device_bytes(models, configs, neighbours), prompt_tokens)
        configs = fitted(models, configs, room, self.estimate, together)
        pairs = zip(models, configs, strict=True)
        fits = [self.fit(*pair, neighbours, prompt_tokens, spare_bytes) for pair in pairs]
        needs = tuple(one.need for one in fits)
        refusals = tuple(
            one.sentence if one.name == "cannot" and self.enforce else None for one in fits
        )
        running = [need for need, refused in zip(needs, refusals, strict=True) if not refused]
        all_fit = sum(need.host for need in running) <= available * TIGHT_SHARE
        all_fit = all_fit and self._devices_hold(running, neighbours)
        order = "together" if together and all_fit else "in turn"
        others = sum(need.host for need in running) if order == "together" else 0
        limits = tuple(self._limit(need, available - max(0, others - need.host)) for need in needs)
        return Plan(order, refusals, needs, limits, tuple(config.n_ctx for config in configs))

    def cleanup(self) -> None:
        """Collect garbage in this process; the models' memory went with their processes."""
        gc.collect()

    def _free_device_bytes(
        self,
        models: Sequence[ModelInfo],
        configs: Sequence[ModelConfig],
        neighbours: Sequence[Neighbour],
    ) -> int:
        """Return what is free of accelerators for models whose context is to be chosen."""
        if not any(
            config.n_ctx is None and devices.can_use_device(model.model_type)
            for model, config in zip(models, configs, strict=True)
        ):
            return 0
        free = sum(int(device["free_bytes"]) for device in self.device_memory())
        return max(0, free - sum(n.to_come_on_device for n in neighbours))

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
