"""The name of a file's quantisation, and whether its weights are what the name says.

A recipe gives most matrices of the layers one type and some a better one, and where the rows of a
matrix do not divide into blocks of 256 it takes another type in its place (llama.cpp,
src/llama-quant.cpp). So a name is doubted only where the types that make up its layers cannot
come of its recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comparator.formats.gguf_header import TENSOR_TYPE_NAMES, TENSOR_TYPES, Tensor
from comparator.formats.quantisation_names import prefix_of, recipe_of

_ENOUGH_SHARE = 0.25  # of the layers' weights in a recipe's own type
_LARGE_BLOCK, _SMALL_BLOCK = 256, 32
_LARGE_BLOCK_TYPES = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
# In the place of a type whose blocks do not fit the rows (tensor_type_fallback, also of older
# versions).
_IN_PLACE = {
    "Q2_K": {"Q4_0", "IQ4_NL"},
    "Q3_K": {"Q4_0", "IQ4_NL"},
    "Q4_K": {"Q5_0"},
    "Q5_K": {"Q5_1"},
    "Q6_K": {"Q8_0"},
}
# Until 2024 llama.cpp gave most matrices of Q2_K three bits.
_OWN = {"Q2_K": {"Q2_K", "Q3_K"}}
_IN_PLACE_OF_IQ = {"IQ4_NL", "Q4_0", "Q5_0"}
_OF_ITS_MAKER = frozenset({"MXFP4", "NVFP4"})  # trained so: every recipe leaves it alone
# Bits of a weight below and above those of a recipe's name that its main type may have.
_ROOM_OF_IQ = (0.7, 1.4)
_ROOM_OF_UNSLOTH = (1.3, 2.6)
_ROOM_ABOVE_Q8 = 8.0  # UD-Q8_K_XL keeps much in 16 bits
_BITS_OF_RECIPES = {"IQ2_M": 2.5, "IQ3_XS": 3.2, "IQ3_M": 3.44, "Q8_K": 8.5}
_BITS_ALONE = re.compile(r"I?Q\d")
_KEPT_WHOLE = frozenset({"F32", "F16", "BF16"})


@dataclass(frozen=True)
class Label:
    """What a file's quantisation is called.

    Attributes:
        name: such as ``Q4_K_M`` or ``UD-Q4_K_XL``; None where nothing says it.
        warning: a sentence where its weights are something else; None otherwise.
    """

    name: str | None
    warning: str | None = None


def label_of(named: str | None, declared: str | None, tensors: Sequence[Tensor]) -> Label:
    """Return what a GGUF file's quantisation is called.

    The name of the file comes first, then the recipe that its header declares, then the type that
    most of its weights have.

    Args:
        named: what its name says, such as ``UD-Q4_K_XL``.
        declared: the recipe of ``general.file_type``.
        tensors: of all files of the model.
    """
    shares = _shares(_matrices(tensors))
    main = next(iter(shares), None)
    if named and declared and _BITS_ALONE.fullmatch(named) and declared.startswith(f"{named}_"):
        named = declared  # such as Q4, which leaves the recipe to the header
    if named is not None:
        return Label(named, _doubt("name", named, tensors))
    if declared is None or main is None:
        return Label(declared or main)
    warning = _doubt("header", declared, tensors)
    return Label(main if warning else declared, warning)


def _doubt(what: str, label: str, tensors: Sequence[Tensor]) -> str | None:
    """Return why the weights are not what a name says; None where they may be."""
    matrices = _matrices(tensors)
    if not matrices or _fits(label, matrices):
        return None
    main, share = next(iter(_shares(matrices).items()))
    return f"Its {what} says {label}, but {share:.0%} of its layers' weights are {main}.".replace(
        "%", " %"
    )


def _matrices(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the matrices of the layers, or where there are none all; norms are kept in 32 bits."""
    matrices = [tensor for tensor in tensors if tensor.weights and tensor.row != tensor.weights]
    return [tensor for tensor in matrices if tensor.name.startswith("blk.")] or matrices


def _shares(tensors: Sequence[Tensor]) -> dict[str, float]:
    """Return the share of each type, the largest first."""
    numbers: dict[str, int] = {}
    for tensor in tensors:
        name = TENSOR_TYPE_NAMES.get(tensor.kind, f"type {tensor.kind}")
        numbers[name] = numbers.get(name, 0) + tensor.weights
    total = sum(numbers.values())
    return {name: number / total for name, number in sorted(numbers.items(), key=lambda i: -i[1])}


def _fits(label: str, matrices: Sequence[Tensor]) -> bool:
    recipe = recipe_of(label)
    own = _own_type(recipe)
    block = _SMALL_BLOCK if own in _plain_types() else _LARGE_BLOCK
    whole = [tensor for tensor in matrices if tensor.row % block == 0]
    if 2 * sum(t.weights for t in whole) < sum(t.weights for t in matrices):
        is_free = prefix_of(label) == "UD"  # chosen for each tensor by measuring
        return is_free or _fits_in_place(recipe, own, _shares(matrices))
    shares = _shares(whole)
    main = next(iter(shares))
    if main in _OF_ITS_MAKER:
        return True
    if prefix_of(label) == "UD":
        return _is_near(recipe, main, _ROOM_OF_UNSLOTH)
    if recipe.startswith(("IQ", "TQ")):
        known = _bits_of_recipe(recipe) is not None  # else it is another program's
        return not known or (main.startswith(recipe[:2]) and _is_near(recipe, main, _ROOM_OF_IQ))
    return own is None or sum(shares.get(kind, 0) for kind in _OWN.get(own, {own})) >= _ENOUGH_SHARE


def _fits_in_place(recipe: str, own: str | None, shares: dict[str, float]) -> bool:
    """Whether the types fit where most rows cannot hold the blocks of the recipe's type."""
    main = next(iter(shares))
    if recipe.startswith(("IQ", "TQ")):
        allowed = _IN_PLACE_OF_IQ
    else:
        allowed = _IN_PLACE.get(own or "", set())
    known = own is not None or recipe.startswith(("IQ", "TQ"))
    return not known or main in {own, *allowed, *_KEPT_WHOLE, *_OF_ITS_MAKER}


def _is_near(recipe: str, main: str, room: tuple[float, float]) -> bool:
    nominal, found = _bits_of_recipe(recipe), _bits().get(main)
    if nominal is None or found is None:
        return True
    above = _ROOM_ABOVE_Q8 if nominal > 8 else room[1]
    return nominal - room[0] <= found <= nominal + above


def _bits_of_recipe(recipe: str) -> float | None:
    for name in (recipe, recipe.rpartition("_")[0]):
        bits = _BITS_OF_RECIPES.get(name) or _bits().get(name)
        if bits:
            return bits
    return None


def _bits() -> dict[str, float]:
    return {
        name: size * 8 / block
        for kind, name in TENSOR_TYPE_NAMES.items()
        if kind in TENSOR_TYPES
        for block, size in (TENSOR_TYPES[kind],)
    }


def _plain_types() -> frozenset[str]:
    return frozenset({"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL"})


def _own_type(recipe: str) -> str | None:
    """Return the type that a recipe gives most matrices; None where it has no name here."""
    if recipe in _plain_types():
        return recipe
    return next((name for name in _LARGE_BLOCK_TYPES if recipe.startswith(name)), None)
