"""What llama.cpp does not promise: the layout of its structures, its numbers and its log's words.

The one place for them (DESIGN: one adapter per library), for both builds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

from comparator.core.exceptions import EngineMissingError

FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}  # llama.h: enum llama_flash_attn_type


def with_fields(structure: Any, **values: Any) -> Any:
    """Set fields of a structure; ctypes itself takes a name that is not there in silence.

    Raises:
        EngineMissingError: it has no such field.
    """
    names = {name for name, *_ in structure._fields_}
    for name, value in values.items():
        if name not in names:
            raise EngineMissingError(
                f"This version of llama.cpp has no setting {name} in {type(structure).__name__}; "
                "the comparator was written for another one. Install a version that is tested "
                "(docs/versions.md)."
            )
        setattr(structure, name, value)
    return structure


def model_parameters(llama: Any, **values: Any) -> Any:
    """Return llama.cpp's default parameters of a model with some fields changed."""
    return with_fields(llama.llama_model_default_params(), **values)


def context_parameters(llama: Any, **values: Any) -> Any:
    """Return llama.cpp's default parameters of a context with some fields changed."""
    return with_fields(llama.llama_context_default_params(), **values)


class Batch(NamedTuple):
    """Tokens as llama.cpp reads them, and what must live as long as they are read."""

    structure: Any
    keeps: tuple[Any, ...]


def batch(llama: Any, tokens: Sequence[int], *, all_scores: bool = False) -> Batch:
    """Return tokens of the only conversation, in their order; scores of all or of the last."""
    count = len(tokens)
    array = (ctypes.c_int32 * count)(*tokens)
    wanted = (ctypes.c_int8 * count)(*[1] * count) if all_scores else None
    made = with_fields(llama.llama_batch(), n_tokens=count)
    _point(made, "token", array)
    if wanted is not None:
        _point(made, "logits", wanted)
    return Batch(made, (array, wanted))


def _point(structure: Any, name: str, array: Any) -> None:
    kind = dict((field, kind) for field, kind, *_ in structure._fields_)[name]
    with_fields(structure, **{name: ctypes.cast(array, kind)})
