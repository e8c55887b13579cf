"""What a run needs of memory, from its files' facts and its settings, before anyone waits.

The figure that is compared with the measured peak (``MemoryNeed.peak``) is the child's private
memory, as ``runners.machine.memory.private_bytes`` reads it: what it wrote, and the pages of
files that it alone maps. The constants were measured by ``benchmarks/memory_estimate.py``.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from comparator.core.config import USUAL_CONTEXT_TOKENS, ModelConfig
from comparator.core.exceptions import ModelLoadError
from comparator.core.limits import CONTEXT_STEP
from comparator.core.lora import adapter_of
from comparator.core.models import ModelInfo, ModelType
from comparator.core.placement import wanted_layers
from comparator.core.trial_figures import LOADED_BYTES, REPACKED_BITS
from comparator.library.adapters import sizes_of
from comparator.library.facts.lookup import ModelFacts, facts_of, read_config
from comparator.memory.placement import Load, placed

# Measured with a model of some kilobytes: interpreter, libraries' pages, and what was copied
# when the forked child wrote to it.
ENGINE_BYTES = {
    ModelType.GGUF: 13_500_000,
    ModelType.PYTORCH: 50_000_000,
    ModelType.ECHO: 10_000_000,
    ModelType.CUSTOM: 100_000_000,
}
# A vocabulary in memory, with the table of its merges: about 49 000 tokens took 15 and 45 MB.
BYTES_PER_TOKEN_TEXT = {ModelType.GGUF: 300, ModelType.PYTORCH: 900}
BYTES_PER_LAYER = {ModelType.PYTORCH: 170_000}  # the modules' Python objects
# Activations of one token while a prompt is read, in 32-bit floats: about six rows of the
# model's width and two of its feed-forward part, which is three times as wide in most models.
ACTIVATION_ROWS = 12
PROMPT_TOKENS_AT_ONCE = (
    512  # runners.engines.gguf.model.BATCH_TOKENS, runners.engines.pytorch.forward
)
MASK_BYTES = {ModelType.GGUF: 2, ModelType.PYTORCH: 4}  # of a pair of tokens
VALUES_STAY = "values of the cache stay f16"  # a figure's name: flash attention is off here
# A number of the cache of llama.cpp: blocks of 32 numbers share a scale of two bytes.
CACHE_NUMBER_BYTES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
LEAST_CONTEXT_TOKENS = 512  # that is proposed where memory is scarce
TEMPLATE_TOKENS = 32
# Types that llama.cpp copies into rows of eight for the processor's vector units, with the
# size of a weight in bits; from ggml-cpu/repack.cpp, seen in the log of llama-cpp-python 0.3.36.
_REPACKED_BITS = {"Q4_0": 4.5, "Q4_K": 4.5, "IQ4_NL": 4.5, "MXFP4": 4.25}
_REPACKED_BITS_AVX512 = {"Q2_K": 2.625}
_REPACKED_BITS_ARM = {"Q5_K": 5.5, "Q6_K": 6.5625, "Q8_0": 8.5}
_NUMBER_BYTES = {"float32": 4, "f32": 4, "float64": 8, "f64": 8}
_HALF = ("float16", "f16")
_TORCH_NAMES = {"fp64": "float64", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


@dataclass(frozen=True)
class MemoryNeed:
    """An estimate for one run, in bytes.

    Attributes:
        weights: as the engine keeps them.
        key_value_cache: keys and values of the tokens.
        engine: libraries, vocabulary, and the program itself.
        device: what of it all goes to the accelerator.
        compute: intermediate results.
        droppable: pages of the model's files that were read once and can be dropped.
        surplus: what the model's last run here took beyond the estimate, for reasons unknown.
        gpu_layers: layers chosen for the accelerator where the user chose none; -1 is all.
        cache_saved: how much larger the cache would be in numbers of 16 bits.
    """

    weights: int
    key_value_cache: int
    engine: int
    device: int = 0
    compute: int = 0
    droppable: int = 0
    surplus: int = 0
    gpu_layers: int | None = None
    cache_saved: int = 0

    @property
    def total(self) -> int:
        """All that must stay in memory, wherever it goes."""
        return self.weights + self.key_value_cache + self.engine + self.compute

    @property
    def host(self) -> int:
        """What of it is RAM."""
        return self.total - self.device

    @property
    def peak(self) -> int:
        """What the child's private memory in RAM is expected to reach."""
        return self.host + self.droppable + self.surplus


def likely_tokens(*texts: str) -> int:
    """Return about how many tokens a prompt has, a chat template included, rather too many."""
    return sum(len(text.encode("utf-8", "replace")) for text in texts) // 3 + TEMPLATE_TOKENS


def estimate(
    model: ModelInfo,
    config: ModelConfig,
    free_device_bytes: Sequence[int] = (),
    prompt_tokens: int | None = None,
    figures: Mapping[str, float] | None = None,
    batch: int = 1,
) -> MemoryNeed:
    """Return what a run of a model needs.

    Args:
        model: the model.
        config: its settings.
        free_device_bytes: of each device that its engine can use.
        prompt_tokens: how long the prompt is about, None where it is not known yet.
        figures: what the trial of its engine measured on this machine, as it is there that is
            known which weights are kept a second time; None before a trial.
        batch: how many answers are written at once, each with a context of its own.
    """
    facts = facts_of(model)
    free = free_device_bytes if config.use_gpu else ()
    parts = _parts(model, config, facts, prompt_tokens, bool(free), figures or {}, batch)
    place = placed(
        model.model_type,
        wanted_layers(config.use_gpu, config.n_gpu_layers),
        facts.layers,
        Load(parts.weights, parts.key_value_cache, _compute_on_device(model, config, facts, batch)),
        free,
    )
    if not place.share:
        return replace(parts, gpu_layers=place.chosen_layers)
    return replace(
        parts,
        device=place.device_bytes,
        compute=place.compute_bytes + (parts.compute if place.share < 1 else 0),
        gpu_layers=place.chosen_layers,
    )


def _parts(
    model: ModelInfo,
    config: ModelConfig,
    facts: ModelFacts,
    prompt: int | None,
    on_device: bool,
    figures: Mapping[str, float],
    batch: int,
) -> MemoryNeed:
    """Return what is needed where the processor does everything."""
    kind = model.model_type
    context = _context(config, facts)
    used = _used(context, prompt, config.max_tokens)
    rows = min(context if prompt is None else prompt, PROMPT_TOKENS_AT_ONCE, context)
    kept = context if kind is ModelType.GGUF else used
    growth = 1.0 if kind is not ModelType.PYTORCH else _growth(config, facts, on_device, figures)
    weights, droppable = _weights(model, facts, growth, figures)
    plain_cache = batch * _cache(kind, facts, _rounded(kept))
    share = _cache_growth(kind, facts, growth) * _cache_share(kind, config, figures)
    cache = int(plain_cache * share)
    return MemoryNeed(
        weights + sizes_of(map(adapter_of, config.lora)),
        cache,
        _engine(kind, facts),
        compute=_compute(kind, facts, rows, batch * used, batch),
        droppable=droppable,
        cache_saved=max(0, plain_cache - cache),
    )


def _compute_on_device(model: ModelInfo, config: ModelConfig, facts: ModelFacts, batch: int) -> int:
    context = _context(config, facts)
    rows = min(PROMPT_TOKENS_AT_ONCE, context)
    return _compute(model.model_type, facts, rows, batch * context, batch)


def _context(config: ModelConfig, facts: ModelFacts) -> int:
    own = facts.context_length or USUAL_CONTEXT_TOKENS
    return own if config.n_ctx is None else min(config.n_ctx, facts.context_length or config.n_ctx)


def _used(context: int, prompt: int | None, answer: int | None) -> int:
    """Return the tokens of prompt and answer; all of the context where nothing bounds them."""
    return context if prompt is None or answer is None else min(context, prompt + answer)


def _rounded(tokens: int) -> int:
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP


def _cache(kind: ModelType, facts: ModelFacts, tokens: int) -> int:
    """Return the KV cache of so many tokens in 16-bit floats.

    llama.cpp keeps the tokens of a batch beside those of a window (llama-kv-cache-iswa.cpp).
    """
    if kind is not ModelType.GGUF:
        return facts.cache_bytes(tokens)
    return sum(
        size * min(tokens, _rounded(window + PROMPT_TOKENS_AT_ONCE) if window else tokens)
        for size, window in facts.cache_layers
    )


def _engine(kind: ModelType, facts: ModelFacts) -> int:
    vocabulary = (facts.vocabulary_size or 0) * BYTES_PER_TOKEN_TEXT.get(kind, 0)
    modules = (facts.layers or 0) * BYTES_PER_LAYER.get(kind, 0)
    own = ENGINE_BYTES.get(kind, ENGINE_BYTES[ModelType.CUSTOM])
    return own + vocabulary + modules


def _compute(kind: ModelType, facts: ModelFacts, rows: int, tokens: int, batch: int = 1) -> int:
    """Return the intermediate results of ``rows`` tokens that look back at up to ``tokens``.

    llama.cpp reserves room for 512 rows but only what is written becomes memory (on a
    processor); the scores are those of one token of each answer (n_outputs_max).
    """
    if kind not in MASK_BYTES:
        return 0
    activations = rows * ACTIVATION_ROWS * (facts.embedding_length or 0) * 4
    scores = batch * (facts.vocabulary_size or 0) * 4
    return activations + rows * tokens * MASK_BYTES[kind] + scores


def _weights(
    model: ModelInfo, facts: ModelFacts, growth: float, figures: Mapping[str, float]
) -> tuple[int, int]:
    """Return the size of the weights in memory, and of file pages that were read once."""
    if model.model_type is ModelType.GGUF:
        return model.size, _repacked(facts, figures)
    if growth == 1 and not (model.model_type is ModelType.PYTORCH and _has_experts(model)):
        return model.size, 0  # used where the file is mapped
    return int(model.size * growth), model.size


def _repacked(facts: ModelFacts, figures: Mapping[str, float]) -> int:
    """Return the bytes of weights that llama.cpp keeps a second time in another order."""
    sizes = _repacked_here(figures)
    types = facts.tensor_types or {}
    bits = sum(share * sizes.get(name, 0) for name, share in types.items())
    return int((facts.parameters or 0) * bits / 8)


def _repacked_here(figures: Mapping[str, float]) -> Mapping[str, float]:
    """Return the bits of a weight of each type that is kept in another order on this machine.

    What the trial has measured decides; what it does not try is as in the table, unless nothing
    at all is kept in another order.
    """
    measured = {
        name.removeprefix(REPACKED_BITS): bits
        for name, bits in figures.items()
        if name.startswith(REPACKED_BITS)
    }
    if measured and not any(measured.values()):
        return {}
    return {**_repacked_bits(), **measured}


@lru_cache
def _repacked_bits() -> Mapping[str, float]:
    """Return the types that this processor wants in another order."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return {**_REPACKED_BITS, **_REPACKED_BITS_ARM}
    try:
        words = set(Path("/proc/cpuinfo").read_text("ascii", "replace").split())
    except OSError:  # not Linux: nearly every x86 processor in use has AVX2
        return _REPACKED_BITS
    if "avx512f" in words:
        return {**_REPACKED_BITS, **_REPACKED_BITS_AVX512}
    return _REPACKED_BITS if "avx2" in words else {}


def _growth(
    config: ModelConfig, facts: ModelFacts, on_device: bool, figures: Mapping[str, float]
) -> float:
    """Return how weights change in size when they are loaded with another type of number.

    Processors compute with some types slowly: what is loaded in their place was tried, and before
    that runners.engines.pytorch.inferencer takes float32 for float16.
    """
    stored = _stored(facts)
    if config.torch_dtype == "auto":
        usual = 4.0 if stored in _HALF else _NUMBER_BYTES.get(stored, 2)
        loaded = figures.get(f"{LOADED_BYTES}{stored}", usual)
        return 1.0 if on_device else loaded / _NUMBER_BYTES.get(stored, 2)
    return (4 if config.torch_dtype == "float32" else 2) / _NUMBER_BYTES.get(stored, 2)


def _stored(facts: ModelFacts) -> str:
    """Return the type of a folder's numbers as torch calls it."""
    label = (facts.quantisation or "").lower()
    return _TORCH_NAMES.get(label, label)


def _cache_growth(kind: ModelType, facts: ModelFacts, growth: float) -> float:
    """Return how large a number of the cache is, compared with 16 bits."""
    if kind is not ModelType.PYTORCH:
        return 1.0
    stored = _stored(facts)
    return max(1.0, _NUMBER_BYTES.get(stored, 2) * growth / 2)


def _cache_share(kind: ModelType, config: ModelConfig, figures: Mapping[str, float]) -> float:
    """Return how large a number is that ``kv_cache_type`` chose, compared with 16 bits."""
    if kind is not ModelType.GGUF:
        return 1.0
    keys = CACHE_NUMBER_BYTES[config.kv_cache_type]
    values = CACHE_NUMBER_BYTES["f16"] if figures.get(VALUES_STAY) else keys
    return (keys + values) / (2 * CACHE_NUMBER_BYTES["f16"])


def _has_experts(model: ModelInfo) -> bool:
    """Whether a folder has experts, whose matrices transformers 5 joins into one copy."""
    try:
        config = read_config(Path(model.path))
    except ModelLoadError:
        return False
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    return any(_count(text, name) > 1 for name in _EXPERTS)


def _count(config: Any, name: str) -> int:
    value = config.get(name)
    return value if isinstance(value, int) else 0
