"""The KV cache of a transformers model, from its configuration.

Which layers keep what: transformers, cache_utils.py (DynamicCache) and the configuration classes
of the models, whose defaults for missing entries are taken over here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comparator.library.facts.values import MOST_LAYERS, count_of, divided, grouped, text_of

# Every n-th layer sees all tokens, where the configuration does not list its layers.
_WINDOW_PERIODS = {
    "gemma2": 2, "gemma3": 6, "gemma3_text": 6, "gemma3n_text": 5, "cohere2": 4, "gpt_oss": 2,
    "llama4_text": 4, "exaone4": 4,
}  # fmt: skip
_WITHOUT_CACHE = frozenset({"mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm"})
_WITH_SWITCH = frozenset({"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"})
_LIMITED = frozenset({"sliding_attention", "chunked_attention", "hybrid_sliding"})
# Layers that keep nothing a token. Any other name, also one of a later version, counts as
# attention over all tokens: too much memory is told rather than too little.
_STATES = frozenset(
    {"linear_attention", "conv", "mamba", "mamba2", "recurrent", "mlp", "moe", "dense", "sparse",
     "dummy", "no_op"}
)  # fmt: skip


def cache_layers(config: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """Return ``ModelFacts.cache_layers``; empty where the configuration does not tell them."""
    if text_of(config.get("model_type")) in _WITHOUT_CACHE:
        return ()
    layers = count_of(config, "num_hidden_layers", "n_layer", "num_layers", "n_layers") or 0
    layers = min(layers, MOST_LAYERS)
    own = layers - (count_of(config, "num_kv_shared_layers") or 0)
    sizes = [2 * _numbers(config)] * max(own, 0)
    window = _window(config)
    kinds = _kinds(config, layers, window)
    return grouped(
        (size, window if kind in _LIMITED else 0)
        for size, kind in zip(sizes, kinds, strict=False)
        if kind not in _STATES
    )


def _numbers(config: Mapping[str, Any]) -> int:
    """Return the numbers that a layer keeps of one token: keys and values of its heads."""
    heads = count_of(config, "num_attention_heads", "n_head", "num_heads", "n_heads") or 0
    head = count_of(config, "head_dim") or divided(
        count_of(config, "hidden_size", "n_embd", "d_model"), heads
    )
    compressed, rotated = count_of(config, "kv_lora_rank"), count_of(config, "qk_rope_head_dim")
    if compressed and rotated:  # multi-head latent attention: one row for all heads
        return compressed + rotated
    return 2 * _key_value_heads(config, heads) * (head or 0)


def _key_value_heads(config: Mapping[str, Any], heads: int) -> int:
    if config.get("multi_query") is True and not config.get("new_decoder_architecture"):
        return 1
    return count_of(config, "num_key_value_heads", "num_kv_heads") or heads


def _window(config: Mapping[str, Any]) -> int:
    if config.get("use_sliding_window") is False:
        return 0
    if text_of(config.get("model_type")) in _WITH_SWITCH and not config.get("use_sliding_window"):
        return 0
    return count_of(config, "sliding_window", "attention_chunk_size") or 0


def _kinds(config: Mapping[str, Any], layers: int, window: int) -> list[str]:
    """Return what each layer is, as the configuration lists it or its class would."""
    for name in ("layer_types", "layers_block_type"):
        listed = config.get(name)
        if isinstance(listed, list) and listed:
            return [kind if isinstance(kind, str) else "" for kind in listed[:layers]]
    model_type = text_of(config.get("model_type"))
    if model_type == "qwen3_next":
        return _every(count_of(config, "full_attention_interval") or 4, layers, "linear_attention")
    period = count_of(config, "sliding_window_pattern")
    if period is None:
        period = _WINDOW_PERIODS.get(model_type or "")
    if not window:
        return ["full_attention"] * layers
    return _every(period or layers + 1, layers, "sliding_attention")


def _every(period: int, layers: int, other: str) -> list[str]:
    """Return full attention in each n-th layer, and something else between."""
    return ["full_attention" if n % period == 0 else other for n in range(1, layers + 1)]
