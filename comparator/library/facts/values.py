"""What can be known of a model without loading it, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_LAYERS = 4096  # that are believed of a file


@dataclass(frozen=True)
class ModelFacts:
    """Facts of a model; None where its files do not say.

    Attributes:
        architecture: as llama.cpp or transformers calls it.
        quantisation: as people call it: ``Q4_K_M``, ``UD-Q4_K_XL``, ``bf16``, ``GPTQ 4-bit``;
            what its weights really are is in ``tensor_types``.
        context_length: tokens.
        layers: of the decoder.
        has_chat_template: whether it brings one.
        parameters: how many weights.
        tensor_types: the share of the weights that each type of number has, 0 to 1.
        embedding_length: the width of a layer's output.
        vocabulary_size: tokens.
        bits_per_weight: of all weights on average.
        heads: of attention; of the widest layer where they differ.
        key_value_heads: likewise.
        licence: its short name, as written there.
        kind: ``chat`` or ``base``.
        base_model: what it was made from, mostly ``ORGANISATION/NAME``.
        family: the name of the weights without their quantisation.
        purpose: ``language``, or what else it is for (see ``purposes``).
        needs_remote_code: whether it comes with program code of its own that must be run.
        template_arguments: what its chat template can be told beside the messages, by name.
        maker: who quantised it, such as ``unsloth``.
        quantisation_method: of a transformers folder, such as ``gptq``.
        made_for: a sentence where its file is made for another program than llama.cpp.
        quantisation_warning: a sentence where its weights are not what its name says.
        cache_layers: for layers with equal reach: bytes of the KV cache of one token in 16-bit
            floats, of all of them together, and how many tokens they keep (0 for all).
    """

    architecture: str | None = None
    quantisation: str | None = None
    context_length: int | None = None
    layers: int | None = None
    has_chat_template: bool | None = None
    parameters: int | None = None
    tensor_types: dict[str, float] | None = None
    embedding_length: int | None = None
    vocabulary_size: int | None = None
    bits_per_weight: float | None = None
    heads: int | None = None
    key_value_heads: int | None = None
    licence: str | None = None
    kind: str | None = None
    base_model: str | None = None
    family: str | None = None
    purpose: str | None = None
    needs_remote_code: bool = False
    template_arguments: tuple[str, ...] | None = None
    cache_layers: tuple[tuple[int, int], ...] = ()
    maker: str | None = None
    quantisation_warning: str | None = None
    quantisation_method: str | None = None
    made_for: str | None = None

    def cache_bytes(self, context_length: int) -> int:
        """Return the size of the KV cache of so many tokens in 16-bit floats; 0 where unknown."""
        return sum(
            size * min(context_length, window or context_length)
            for size, window in self.cache_layers
        )


def grouped(layers: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join layers of equal reach: from (bytes a token, window) of each to ``cache_layers``."""
    sums: dict[int, int] = {}
    for size, window in layers:
        if size > 0:
            sums[window] = sums.get(window, 0) + size
    return tuple((size, window) for window, size in sorted(sums.items()))


def shares(numbers: Mapping[str, int]) -> dict[str, float] | None:
    """Return counts as shares of their sum; None of nothing."""
    total = sum(numbers.values())
    return {name: number / total for name, number in numbers.items()} if total else None


def text_of(value: Any) -> str | None:
    """Return a value that is a text with something in it, else None."""
    return value.strip() or None if isinstance(value, str) else None


def count_of(values: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these values that is a whole number above 0, else None."""
    for name in names:
        value = values.get(name)
        if type(value) is int and 0 < value < 2**53:
            return value
    return None


def divided(width: int | None, heads: int | None) -> int | None:
    """Return the size of a head, None where a part is unknown."""
    return width // heads if width and heads else None
