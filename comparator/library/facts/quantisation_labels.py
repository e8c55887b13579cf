"""The name of what a file's weights really are."""

from __future__ import annotations

from collections.abc import Sequence

from comparator.formats.gguf_header import TENSOR_TYPE_NAMES, Tensor

_SMALLEST_SHARE = 0.02  # of the weights; norms and biases are always in 32 bits
# Recipes whose type in most layers has another name; llama.cpp, src/llama-quant.cpp.
_MAIN_TYPES = {
    "IQ3_XS": ("IQ3_XXS", "IQ3_S"),
    "IQ3_M": ("IQ3_S",),
    "IQ2_S": ("IQ2_XS", "IQ2_S"),
    "IQ2_M": ("IQ2_S",),
}


def label_of(declared: str | None, tensors: Sequence[Tensor]) -> str | None:
    """Return what a GGUF file's weights are.

    It is the recipe that the header declares where the layers' main type agrees with it, and
    else the types themselves, the largest share first.

    Args:
        declared: the recipe, such as ``Q4_K_M``; None where the header has none.
        tensors: of all files of the model.
    """
    everything = _by_type(tensors)
    if not everything:
        return declared
    layers = _by_type([tensor for tensor in tensors if tensor.name.startswith("blk.")])
    main = next(iter(layers or everything))
    if declared and main in _main_types(declared):
        return declared
    total = sum(everything.values())
    return " + ".join(name for name, n in everything.items() if n >= _SMALLEST_SHARE * total)


def _by_type(tensors: Sequence[Tensor]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for tensor in tensors:
        name = TENSOR_TYPE_NAMES.get(tensor.kind, f"type {tensor.kind}")
        numbers[name] = numbers.get(name, 0) + tensor.weights
    present = {name: number for name, number in numbers.items() if number}
    return dict(sorted(present.items(), key=lambda item: -item[1]))


def _main_types(recipe: str) -> tuple[str, ...]:
    parts = recipe.split("_")
    is_k_mix = len(parts) == 3 and parts[1] == "K"
    return _MAIN_TYPES.get(recipe, ("_".join(parts[:2]) if is_k_mix else recipe,))
