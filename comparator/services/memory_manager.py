"""What memory there is, what a model needs of it, and who may run with whom."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.services.model_facts import facts_of

# What an engine needs beside weights and KV cache, measured on the starter models (CPU).
ENGINE_BYTES = {
    ModelType.GGUF: 60_000_000,
    ModelType.PYTORCH: 250_000_000,
    ModelType.ECHO: 10_000_000,
    ModelType.CUSTOM: 100_000_000,
}
TIGHT_SHARE = 0.85  # a need over this share of what is available is called tight
_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class MemoryNeed:
    """An estimate for one run, in bytes."""

    weights: int
    key_value_cache: int
    engine: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.key_value_cache + self.engine


@dataclass(frozen=True)
class Verdict:
    """Whether a model fits: ``fits``, ``tight`` or ``cannot``, and a sentence with numbers."""

    name: str
    sentence: str
    need: MemoryNeed


@dataclass(frozen=True)
class Plan:
    """How a comparison may run: ``together``, ``in turn``, and who is refused and why."""

    order: str
    refusals: tuple[str | None, ...]


class MemoryManager:
    """Compares what models need with what the machine can give.

    Args:
        max_memory_gb: use at most this many gigabytes (10**9 bytes) for models; None for all.
        enforce: False lets models run that cannot fit; the refusal becomes your risk.
    """

    def __init__(self, max_memory_gb: float | None = None, enforce: bool = True) -> None:
        if max_memory_gb is not None and not max_memory_gb > 0:
            raise ConfigurationError(f"max_memory_gb must be more than 0, not {max_memory_gb}.")
        self.max_memory_gb = max_memory_gb
        self.enforce = enforce

    def total_bytes(self) -> int:
        """Return the RAM that this program may use: the machine's, or its container's."""
        return int(min(psutil.virtual_memory().total, _container_limit()))

    def available_bytes(self) -> int:
        """Return what models may use now, container limit and ``max_memory_gb`` included."""
        available = min(psutil.virtual_memory().available, _container_available())
        if self.max_memory_gb is not None:
            available = min(available, int(self.max_memory_gb * 1e9))
        return int(available)

    def device_memory(self) -> list[dict[str, Any]]:
        """Return name, total and free bytes of each NVIDIA device; empty without one."""
        try:
            import pynvml

            pynvml.nvmlInit()
        except Exception:  # no library, no driver or no device: all mean the same here
            return []
        with contextlib.ExitStack() as stack:
            stack.callback(pynvml.nvmlShutdown)
            return [_device(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]

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
        per_token = facts.key_value_bytes_per_token or 0
        return MemoryNeed(
            weights=int(model.size * _growth(model, config, facts.quantisation)),
            key_value_cache=per_token * context,
            engine=ENGINE_BYTES[model.model_type],
        )

    def verdict(self, model: ModelInfo, config: ModelConfig | None = None) -> Verdict:
        """Say whether a model fits now."""
        need, available = self.estimate(model, config), self.available_bytes()
        numbers = f"needs about {_gigabytes(need.total)}, {_gigabytes(available)} is free"
        if need.total > available:
            sentence = (
                f"Cannot run: {numbers}. "
                "Choose a smaller quantisation or a smaller context (n_ctx)."
            )
            return Verdict("cannot", sentence, need)
        if need.total > available * TIGHT_SHARE:
            return Verdict("tight", f"Tight: {numbers}.", need)
        return Verdict("fits", f"Fits: {numbers}.", need)

    def plan(
        self, models: Sequence[ModelInfo], configs: Sequence[ModelConfig], together: bool = False
    ) -> Plan:
        """Decide who may run, and whether all may run at once where that was asked for."""
        verdicts = [self.verdict(*pair) for pair in zip(models, configs, strict=True)]
        refusals = tuple(
            verdict.sentence if verdict.name == "cannot" and self.enforce else None
            for verdict in verdicts
        )
        needed = sum(
            v.need.total for v, refused in zip(verdicts, refusals, strict=True) if not refused
        )
        fits = needed <= self.available_bytes() * TIGHT_SHARE
        return Plan("together" if together and fits else "in turn", refusals)

    def cleanup(self) -> None:
        """Collect garbage in this process; the models' memory went with their processes."""
        gc.collect()


def _growth(model: ModelInfo, config: ModelConfig, quantisation: str | None) -> float:
    """Return how weights change in size when they are loaded with another type of number."""
    if model.model_type is not ModelType.PYTORCH or config.torch_dtype == "auto":
        return 1.0
    on_disk = 4 if quantisation == "float32" else 2
    return (4 if config.torch_dtype == "float32" else 2) / on_disk


def _device(pynvml: Any, index: int) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return {"name": str(name), "total_bytes": int(memory.total), "free_bytes": int(memory.free)}


def _container_limit() -> int:
    """Return the limit of this program's cgroup (version 2, then 1), if it has one."""
    return _number("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def _container_available() -> int:
    limit = _container_limit()
    if limit >= _UNLIMITED:
        return limit
    used = _number("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
    return max(0, limit - (used if used < _UNLIMITED else 0))


def _number(*paths: str) -> int:
    for path in paths:
        try:
            return min(int(Path(path).read_text()), _UNLIMITED)
        except (OSError, ValueError):  # missing, or the word "max"
            continue
    return _UNLIMITED


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
