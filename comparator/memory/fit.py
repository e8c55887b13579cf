"""Whether a run fits, in a word and a sentence with numbers, and what runs beside it take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comparator.core.config import USUAL_CONTEXT_TOKENS, ModelConfig
from comparator.core.limits import CONTEXT_STEP
from comparator.core.models import ModelInfo, ModelType
from comparator.core.placement import ALL_LAYERS, can_spread
from comparator.core.units import fine_size
from comparator.library.facts.lookup import facts_of
from comparator.memory.need import LEAST_CONTEXT_TOKENS, MemoryNeed
from comparator.storage.measurements import Measured

TIGHT_SHARE = 0.85  # a need over this share of what is available is called tight
WORDS = ("fits", "tight", "cannot")
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
class Fit:
    """Whether a model fits: ``fits``, ``tight`` or ``cannot``, and a sentence with numbers."""

    name: str
    sentence: str
    need: MemoryNeed


def on_host(model: ModelInfo, config: ModelConfig, need: MemoryNeed, available: int) -> Fit:
    """Say whether a model's part in RAM fits into so many bytes."""
    numbers = f"needs about {fine_size(need.host)}, {fine_size(available)} is free"
    name = _word(need.host, available)
    sentence = {
        "fits": f"Fits: {numbers}.",
        "tight": f"Tight: {numbers}.",
        "cannot": f"Cannot run: {numbers}. Choose a smaller quantisation or "
        f"{_smaller_context(model, config, need, available)}.",
    }[name]
    return Fit(name, sentence, need)


def on_device(model: ModelInfo, need: MemoryNeed, free_bytes: Sequence[int], to_come: int) -> Fit:
    """Say whether a model's part on accelerators fits.

    Args:
        model: the model.
        need: what it takes of them.
        free_bytes: of each device.
        to_come: bytes that running children will still take of them.
    """
    # llama.cpp spreads layers over all devices, transformers does with accelerate; without it a
    # model goes to the emptiest one.
    spreads = model.model_type is ModelType.GGUF or can_spread()
    supply = sum(free_bytes) if spreads else max(free_bytes, default=0)
    supply = max(0, supply - to_come)
    numbers = f"needs about {fine_size(need.device)} of its memory, {fine_size(supply)} is free"
    name = _word(need.device, supply)
    if name == "tight" and need.gpu_layers not in (None, ALL_LAYERS):
        name = "fits"  # so many layers were chosen as fit
    sentence = {
        "fits": f"Fits on the GPU{_layers_in_words(model, need)}: {numbers}.",
        "tight": f"Tight on the GPU: {numbers}.",
        "cannot": f"Cannot run on the GPU: {numbers}. Turn the GPU off (use_gpu), give it "
        "fewer layers (n_gpu_layers, GGUF), or choose a smaller quantisation or context.",
    }[name]
    return Fit(name, sentence, need)


def worse_of(host: Fit, device: Fit) -> Fit:
    """Return the one that counts; both sentences where they say the same word."""
    if host.name == device.name:
        return Fit(host.name, f"{host.sentence} {device.sentence}", host.need)
    return max(host, device, key=lambda one: WORDS.index(one.name))


def surplus(measured: Measured | None, estimated: int) -> int:
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
    wanted = config.n_ctx or USUAL_CONTEXT_TOKENS
    context = min(wanted, facts_of(model).context_length or wanted)
    step = CONTEXT_STEP
    tokens = int(context * left / need.key_value_cache) // step * step
    if need.device or tokens < LEAST_CONTEXT_TOKENS:
        return "a smaller context (n_ctx)"
    return f"a context (n_ctx) of at most {tokens} tokens"


def _word(need: int, available: int) -> str:
    if need > available:
        return "cannot"
    return "tight" if need > available * TIGHT_SHARE else "fits"
