"""From tokens to the scores of the next one: a model's forward pass and its memory of the past.

Three ways, the fastest that is right for a model: its own forward with a cache that grows in
place; the inputs that the model itself prepares for ``generate``, where it prepares special
ones; and reading everything again each time, which is right for any model.
"""

from __future__ import annotations

import contextlib
import inspect
import platform
from collections.abc import Callable
from typing import Any

PREFILL_TOKENS = 512
_GROWTH_TOKENS = 256

ShouldStop = Callable[[], bool]


class RecomputingStepper:
    """Reads all tokens again for each new one: right for every model, and slow."""

    chunk_tokens: int | None = None  # a prompt is read in parts of this size; None: at once

    def __init__(self, model: Any, device: Any) -> None:
        self._model = model
        self._device = device
        self._tokens: list[int] = []

    def read(self, tokens: list[int], should_stop: ShouldStop) -> Any | None:
        """Read a prompt and return the scores of the next token; None when it was stopped."""
        scores = None
        size = self.chunk_tokens or len(tokens)
        for start in range(0, len(tokens), size):
            if should_stop():
                return None
            scores = self._forward(tokens[start : start + size])
        return scores

    def step(self, token: int) -> Any:
        """Read one more token and return the scores of the next."""
        return self._forward([token])

    def _tensor(self, tokens: list[int]) -> Any:
        import torch

        return torch.tensor([tokens], dtype=torch.long, device=self._device)

    def _forward(self, tokens: list[int]) -> Any:
        self._tokens += tokens
        output = self._model(input_ids=self._tensor(self._tokens), use_cache=False)
        return output.logits[0, -1]


class CachedStepper(RecomputingStepper):
    """Calls the model's forward directly, with a cache."""

    def __init__(self, model: Any, device: Any, cache_name: str) -> None:
        super().__init__(model, device)
        self.cache_name = cache_name
        self._cache = _new_cache(model)
        self._arguments: dict[str, Any] = {cache_name: self._cache, "use_cache": True}
        if "logits_to_keep" in _parameters(model):
            self._arguments["logits_to_keep"] = 1
        self.chunk_tokens = PREFILL_TOKENS if _takes_parts(self._cache) else None
        self._takes_positions = "position_ids" in _parameters(model)
        self._one_row = _one_row_products(model, device)
        self._read = 0

    def step(self, token: int) -> Any:
        """Read one more token and return the scores of the next."""
        with self._one_row:
            return self._forward([token])

    def _forward(self, tokens: list[int]) -> Any:
        if self._takes_positions:
            positions = list(range(self._read, self._read + len(tokens)))
            self._arguments["position_ids"] = self._tensor(positions)
        self._read += len(tokens)
        output = self._model(input_ids=self._tensor(tokens), **self._arguments)
        return output.logits[0, -1]


class PreparedStepper(CachedStepper):
    """Lets the model prepare its inputs as for ``generate``, since it needs special ones."""

    def __init__(self, model: Any, device: Any, cache_name: str) -> None:
        super().__init__(model, device, cache_name)
        self._kwargs = dict(self._arguments)
        self.chunk_tokens = None

    def _forward(self, tokens: list[int]) -> Any:
        first = not self._tokens
        self._tokens += tokens
        if first and self._takes_positions:
            self._kwargs["position_ids"] = self._model._prepare_position_ids_for_generation(
                self._tensor(tokens), self._kwargs
            )
        inputs = self._model.prepare_inputs_for_generation(
            self._tensor(self._tokens),
            next_sequence_length=None if first else len(tokens),
            is_first_iteration=first,
            **self._kwargs,
        )
        output = self._model(**inputs, return_dict=True)
        self._kwargs = self._model._update_model_kwargs_for_generation(output, self._kwargs)
        return output.logits[0, -1]


def make_stepper(model: Any, device: Any) -> RecomputingStepper:
    """Return the fastest way that is right for a model."""
    parameters = _parameters(model)
    names = [name for name in ("past_key_values", "cache_params") if name in parameters]
    supports = getattr(model, "_supports_default_dynamic_cache", None)
    if not names or supports is None or not supports():
        return RecomputingStepper(model, device)
    if _prepares_special_inputs(model) or names[0] == "cache_params":
        return PreparedStepper(model, device, names[0])
    return CachedStepper(model, device, names[0])


def _one_row_products(model: Any, device: Any) -> contextlib.AbstractContextManager[None]:
    """Return a context in which products of a matrix and one row are fastest.

    For one row, PyTorch's own bfloat16 product reads a matrix 2.2 to 2.5 times faster than
    oneDNN's and is as exact (measured with torch 2.13 on x86 with AVX-512); for the many rows
    of a prompt it is slower. So oneDNN is off while a single token is read.
    """
    import torch

    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    if device.type == "cpu" and is_x86 and model.dtype is torch.bfloat16:
        return _OneDnnOff()
    return contextlib.nullcontext()


class _OneDnnOff(contextlib.AbstractContextManager[None]):
    def __init__(self) -> None:
        import torch

        self._switch = torch.backends.mkldnn

    def __enter__(self) -> None:
        self._before = self._switch.enabled
        self._switch.enabled = False

    def __exit__(self, *_: object) -> None:
        self._switch.enabled = self._before


def _parameters(model: Any) -> Any:
    return inspect.signature(type(model).forward).parameters


def _prepares_special_inputs(model: Any) -> bool:
    from transformers.generation import GenerationMixin

    names = ("prepare_inputs_for_generation", "_prepare_position_ids_for_generation")
    kind = type(model)
    return any(
        getattr(kind, name, None) is not getattr(GenerationMixin, name, None) for name in names
    )


def _new_cache(model: Any) -> Any:
    """Return a cache for a model, its plain layers replaced by ones that grow in place."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    growing = _growing_layer_class()
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    layers = [growing() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    cache.layers = layers
    return cache


def _takes_parts(cache: Any) -> bool:
    """Tell whether a prompt may be read in parts: attention layers only, no running state."""
    from transformers.cache_utils import DynamicSlidingWindowLayer

    kinds = (_growing_layer_class(), DynamicSlidingWindowLayer)
    return bool(cache.layers) and all(type(layer) in kinds for layer in cache.layers)


def _growing_layer_class() -> Any:
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
