"""What transformers and tokenizers do not promise: touched here alone, and tried before use.

Each function says what it rests on. Where that is gone it returns None, or a thing that is slower
and right; whoever asked says so in the model's ``fallbacks``. Nothing here decides by a version.
"""

from __future__ import annotations

import inspect
from typing import Any

# What the memory of past tokens is called by forward: newest first. transformers 5.24 renamed
# the other two, and hides from a signature that it still takes them.
CACHE_NAMES = ("cache", "past_key_values", "cache_params")
_GROWTH_TOKENS = 256


# ---- a model's forward ----


def forward_parameters(model: Any) -> Any:
    """Return the parameters of a model's forward by name, those of its wrapped function."""
    return inspect.signature(type(model).forward).parameters


def takes_any_name(model: Any) -> bool:
    """Tell whether forward takes names that its signature does not list."""
    kinds = (parameter.kind for parameter in forward_parameters(model).values())
    return inspect.Parameter.VAR_KEYWORD in kinds


def cache_names(model: Any) -> list[str]:
    """Return what the cache may be called, the likeliest first; a trial has to decide.

    A name that is swallowed does nothing, and one that a wrapper hides may work.
    """
    named = [name for name in CACHE_NAMES if name in forward_parameters(model)]
    hidden = [name for name in CACHE_NAMES if name not in named and takes_any_name(model)]
    return [*named, *hidden] if may_have_cache(model) else []


def may_have_cache(model: Any) -> bool:
    """Tell whether transformers says that its usual cache fits; True where it no longer says."""
    says = getattr(model, "_supports_default_dynamic_cache", None)
    return bool(says()) if callable(says) else True


def is_stateful(model: Any) -> bool:
    """Tell whether forward names its cache as models with a running state did until 5.23."""
    return "cache_params" in forward_parameters(model)


def prepares_special_inputs(model: Any) -> bool:
    """Tell whether a model replaces what ``generate`` makes of the tokens before each step."""
    from transformers.generation import GenerationMixin

    names = ("prepare_inputs_for_generation", "_prepare_position_ids_for_generation")
    kind = type(model)
    return any(
        getattr(kind, name, None) is not getattr(GenerationMixin, name, None) for name in names
    )


def first_positions(model: Any, tokens: Any, arguments: dict[str, Any]) -> Any:
    """Return the position ids of a prompt, of shape (1, tokens) or as the model makes them."""
    import torch

    make = getattr(model, "_prepare_position_ids_for_generation", None)
    if callable(make):
        return make(tokens, arguments)
    return torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)


def next_arguments(model: Any, output: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return forward's arguments for the token after an output: positions go on by one."""
    import torch

    update = getattr(model, "_update_model_kwargs_for_generation", None)
    if callable(update):
        return dict(update(output, arguments))
    positions = arguments.get("position_ids")
    if positions is not None:
        longer = torch.cat([positions, positions[..., -1:] + 1], dim=-1)
        arguments = {**arguments, "position_ids": longer}
    return arguments


# ---- the cache ----


def new_cache(model: Any, growing: bool = True) -> Any:
    """Return a cache for a model; its plain layers are ones that grow in place, where wanted."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    if growing:
        from transformers.cache_utils import DynamicLayer

        ours = growing_layer_class()
        cache.layers = [ours() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def length_of(cache: Any) -> int | None:
    """Return how many tokens a cache holds; None where it does not count them."""
    try:
        return int(cache.get_seq_length())
    except Exception:  # a running state has no length; each kind of cache says so its own way
        return None


def takes_parts(cache: Any) -> bool:
    """Tell whether a prompt may be read in parts: attention layers only, no running state."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    kinds: tuple[Any, ...] = (DynamicLayer, DynamicSlidingWindowLayer)
    if _growing is not None:
        kinds = (*kinds, _growing)
    return bool(cache.layers) and all(type(layer) in kinds for layer in cache.layers)


def places_of_keys(cache: Any) -> list[int]:
    """Return where in memory the keys of our layers lie; the same after a token, or copied."""
    if _growing is None or cache is None:
        return []
    layers = [layer for layer in cache.layers if type(layer) is _growing]
    return [layer.keys.data_ptr() if layer.keys is not None else 0 for layer in layers]


def growing_layer_class() -> Any:
    """Return (and make, once) a cache layer that writes into spare room.

    The layer of transformers copies all keys and values for each new token.
    """
    global _growing
    if _growing is None:
        _growing = _make_growing_layer_class()
    return _growing


_growing: Any = None


def _make_growing_layer_class() -> Any:
    from transformers.cache_utils import DynamicLayer

    class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # untyped where it is missing
        """Keys and values of one layer, of shape (batch, heads, tokens, size of a head)."""

        _room: Any = None

        def update(self, keys: Any, values: Any, *_args: Any, **_kwargs: Any) -> Any:
            if not self.is_initialized:
                self.lazy_initialization(keys, values)
                self._room = None
            start = self.get_seq_length()
            end = start + keys.shape[-2]
            if self._room is None or end > self._room[0].shape[-2]:
                self._room = (
                    self._enlarged(0, keys, start, end),
                    self._enlarged(1, values, start, end),
                )
            key_room, value_room = self._room
            key_room[:, :, start:end] = keys
            value_room[:, :, start:end] = values
            self.keys, self.values = key_room[:, :, :end], value_room[:, :, :end]
            return self.keys, self.values

        def _enlarged(self, index: int, states: Any, start: int, end: int) -> Any:
            tokens = -(-(end + 1) // _GROWTH_TOKENS) * _GROWTH_TOKENS
            shape = (*states.shape[:2], tokens, states.shape[3])
            room = states.new_empty(shape)
            if start:
                room[:, :, :start] = self._room[index][:, :, :start]
            return room

    return GrowingLayer


# ---- recorded graphs ----


def static_cache(model: Any, length: int) -> Any:
    """Return a cache of a fixed size in tokens."""
    from transformers import StaticCache

    return StaticCache(config=model.config.get_text_config(decoder=True), max_cache_len=length)


def can_be_recorded(model: Any) -> bool:
    """Tell whether a model's step is the same work each time.

    As transformers says of it, and with layers that count their tokens in a tensor, which a
    recorded step can write to; those of sliding windows count in Python.
    """
    from transformers.cache_utils import StaticLayer

    if not getattr(model, "_can_compile_fullgraph", False):
        return False
    layers = static_cache(model, 1).layers
    return all(type(layer) is StaticLayer and _counter(layer) is not None for layer in layers)


def knows_graphs() -> bool:
    """Tell whether transformers has what ``can_be_recorded`` rests on, for any model."""
    from transformers import PreTrainedModel
    from transformers.cache_utils import StaticLayer

    has_word = hasattr(PreTrainedModel, "_can_compile_fullgraph")
    return has_word and _counter(StaticLayer(max_cache_len=1)) is not None


def set_length(cache: Any, tokens: int) -> None:
    """Make the layers of a static cache believe that they hold so many tokens."""
    for layer in cache.layers:
        _counter(layer).fill_(tokens)


def _counter(layer: Any) -> Any:
    counter = getattr(layer, "cumulative_length", None)
    return counter if hasattr(counter, "fill_") else None
