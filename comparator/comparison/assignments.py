"""What a slot of a request becomes for the one who executes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from comparator.comparison import slot_checks
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.lora import adapter_of
from comparator.core.models import ModelInfo, ModelType
from comparator.formats import checks
from comparator.formats.shards import shards_of
from runners import protocol, registry
from runners.machine import cores


def assignment_of(
    request: Request,
    slot: Slot,
    config: ModelConfig,
    started: float,
    verdict: dict[str, Any] | None = None,
) -> protocol.Assignment:
    """Return the assignment of one slot.

    Args:
        request: what is asked, and how.
        slot: the column.
        config: its settings, with the seed that is used.
        started: ``time.monotonic`` at the start of its run.
        verdict: as ``Assignment.verdict``.
    """
    return protocol.Assignment(
        protocol.Answer(
            slot.model, _config_sent(request, slot, config), (request.asked(slot),), request.date
        ),
        started=started,
        factories=request.factories,
        readable=(*files_of(slot.model), *adapters_of(slot)),
        needed_bytes=slot.needed_bytes,
        memory_limit_bytes=slot.memory_limit_bytes,
        verdict=verdict or {},
    )


def refusal(slot: Slot) -> protocol.Failed | None:
    """Return why a slot cannot run, known without starting anything.

    What is wrong with its files comes first: an estimate for a damaged model means nothing.
    """
    try:
        checks.check(slot.model, slot.config)
        if slot.model.model_type.value in registry.ENGINES:
            registry.check_installed(slot.model.model_type.value)
        slot_checks.check(slot.model, slot.config.kv_cache_type, slot.adapters)
    except ConfigurationError as error:
        return protocol.Failed("start", "configuration", str(error))
    except MultiLLMError as error:
        return protocol.Failed("start", "load", str(error))
    if slot.refusal:
        return protocol.Failed("start", "refused", slot.refusal)
    return None


def _config_sent(request: Request, slot: Slot, config: ModelConfig) -> ModelConfig:
    """Return a slot's settings; models that run together share the cores."""
    threads, layers = config.n_threads, config.n_gpu_layers
    if request.together and not threads:
        running = sum(other.refusal is None for other in request.slots)
        threads = cores.threads_for_one_of(running)
    if slot.gpu_layers is not None:
        layers = slot.gpu_layers
    return replace(
        config,
        n_threads=threads,
        n_gpu_layers=layers,
        n_ctx=slot.as_admitted.n_ctx,
        lora=list(slot.adapters),
    )


def decided(request: Request, slot: Slot, config: ModelConfig) -> dict[str, Any]:
    """Return the settings of a slot that were decided here and not as they were asked, by name."""
    sent = _config_sent(request, slot, config)
    names = ("n_threads", "n_gpu_layers", "n_ctx")
    return {
        name: getattr(sent, name) for name in names if getattr(sent, name) != getattr(config, name)
    }


def adapters_of(slot: Slot) -> list[str]:
    """Return the places of a slot's adapters, which its process may read."""
    return [adapter_of(text).name for text in slot.adapters]


def files_of(model: ModelInfo) -> tuple[str, ...]:
    """Return what the sandbox lets a model's process read: its folder, or all its shards."""
    if model.model_type is not ModelType.GGUF:
        return (model.path,)
    return tuple(str(path) for path in shards_of(Path(model.path)))
