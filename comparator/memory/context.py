"""How large a context is that is to be as large as fits, by the estimate of what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from comparator.core.config import LARGEST_CONTEXT_TOKENS, USUAL_CONTEXT_TOKENS, ModelConfig
from comparator.core.limits import CONTEXT_STEP
from comparator.core.models import ModelInfo, ModelType
from comparator.core.units import fine_size
from comparator.library.facts.lookup import facts_of
from comparator.memory.fit import TIGHT_SHARE
from comparator.memory.need import LEAST_CONTEXT_TOKENS, MemoryNeed

Estimate = Callable[[ModelInfo, ModelConfig, "int | None"], MemoryNeed]


@dataclass(frozen=True)
class Room:
    """What there is for the models of one comparison.

    Attributes:
        host_bytes: free RAM.
        device_bytes: free memory of all accelerators.
        prompt_tokens: how long the prompt is about, None where it is not known.
    """

    host_bytes: int
    device_bytes: int = 0
    prompt_tokens: int | None = None


def fitted(
    models: Sequence[ModelInfo],
    configs: Sequence[ModelConfig],
    room: Room,
    estimate: Estimate,
    together: bool,
) -> list[ModelConfig]:
    """Return settings in which every ``n_ctx`` of None is a number.

    It is the model's own context where memory has room for it without being tight, else the
    largest multiple of 256 that has. Models that are to run together share what is left by all
    of them with a small context. Of an inferencer of a user's own nothing is known: its None stays.
    """
    open_ones = [_is_open(*pair) for pair in zip(models, configs, strict=True)]
    if not any(open_ones):
        return list(configs)
    small = [
        replace(config, n_ctx=LEAST_CONTEXT_TOKENS) if is_open else config
        for config, is_open in zip(configs, open_ones, strict=True)
    ]
    needs = [estimate(m, c, room.prompt_tokens) for m, c in zip(models, small, strict=True)]
    result = []
    for model, config, need, is_open in zip(models, configs, needs, open_ones, strict=True):
        if is_open:
            own_room = _room_of(need, needs, sum(open_ones), room) if together else room
            config = replace(config, n_ctx=_largest(model, config, own_room, estimate))
        result.append(config)
    return result


def _is_open(model: ModelInfo, config: ModelConfig) -> bool:
    return config.n_ctx is None and model.model_type is not ModelType.CUSTOM


def _room_of(need: MemoryNeed, needs: Sequence[MemoryNeed], sharing: int, room: Room) -> Room:
    """Return one model's part where all run at once: what it needs, and a share of the rest."""
    host = room.host_bytes - sum(other.host for other in needs)
    device = room.device_bytes - sum(other.device for other in needs)
    return replace(
        room,
        host_bytes=need.host + max(0, host) // sharing,
        device_bytes=need.device + max(0, device) // sharing,
    )


def _largest(model: ModelInfo, config: ModelConfig, room: Room, estimate: Estimate) -> int:
    """Return the largest context that fits; the smallest where not even that does."""
    own = min(facts_of(model).context_length or USUAL_CONTEXT_TOKENS, LARGEST_CONTEXT_TOKENS)
    least = min(own, LEAST_CONTEXT_TOKENS)
    layers = estimate(model, replace(config, n_ctx=least), room.prompt_tokens).gpu_layers

    def fits(tokens: int) -> bool:
        need = estimate(model, replace(config, n_ctx=tokens), room.prompt_tokens)
        holds = need.host <= room.host_bytes * TIGHT_SHARE
        # Not at the price of layers that a smaller context would leave on the accelerator.
        return holds and need.gpu_layers == layers and _holds_on_device(need, room)

    if fits(own):
        return own
    low, high = least // CONTEXT_STEP, own // CONTEXT_STEP
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * CONTEXT_STEP) else (low, middle)
    return max(least, low * CONTEXT_STEP)


def _holds_on_device(need: MemoryNeed, room: Room) -> bool:
    return not need.device or need.device <= room.device_bytes


def said_of(model: ModelInfo, config: ModelConfig, need: MemoryNeed, context: int | None) -> str:
    """Return what a reader should know of a chosen context and of a cache of smaller numbers."""
    said = []
    own = facts_of(model).context_length
    if config.n_ctx is None and context and own and context < own:
        said.append(
            f"Its context is {context} tokens of the {own} that it was made for, since memory has "
            "room for no more."
        )
    if config.kv_cache_type != "f16" and model.model_type is ModelType.GGUF:
        said.append(
            f"Its KV cache as {config.kv_cache_type} takes about "
            f"{fine_size(need.key_value_cache)}, {fine_size(need.cache_saved)} less than as f16."
        )
    return " ".join(said)
