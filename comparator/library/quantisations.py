"""The quantisations that llama.cpp makes: which are offered, which are not, and why.

Names and what needs an importance matrix: llama.cpp, include/llama.h (enum llama_ftype) and
src/llama-quant.cpp.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from comparator.core.exceptions import ConfigurationError

# By bits per weight, the most first.
OFFERED = (
    "F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_1", "Q5_K_M", "Q5_0", "Q5_K_S", "Q4_1", "Q4_K_M",
    "Q4_K_S", "Q4_0", "IQ4_NL", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K",
)  # fmt: skip
UNQUANTISED = frozenset({"F64", "F32", "F16", "BF16"})

# llama.cpp makes IQ3_M and IQ3_S without one as well, but the starter model then answers
# nonsense where its Q3_K_S of the same size answers well.
_NEED_A_MATRIX = frozenset(
    {
        "IQ1_M", "IQ1_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ3_M", "IQ3_S", "IQ3_XS",
        "IQ3_XXS", "Q2_K_S",
    }
)  # fmt: skip
_FOR_SPECIAL_MODELS = frozenset({"MXFP4", "MXFP4_MOE", "NVFP4", "Q1_0", "Q2_0", "TQ1_0", "TQ2_0"})
_SHORT_FORMS = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "FP16": "F16", "FP32": "F32"}
_SUFFIX = re.compile(
    r"[.\-_ ](?:(?:UD|i1)[.\-_])?(?:I?Q\d_\w+|TQ\d_\d|MXFP4(?:_MOE)?|BF16|FP?16|FP?32)$",
    re.IGNORECASE,
)


def is_name(word: str) -> bool:
    """Return whether a word is the name of a quantisation, also of one that is not offered."""
    plain = word.upper()
    return plain in (*OFFERED, *_SHORT_FORMS, *_NEED_A_MATRIX, *_FOR_SPECIAL_MODELS)


def named(words: Iterable[str]) -> list[str]:
    """Return the quantisations that words mean, each once, the most bits first.

    A word may be a list with commas.

    Raises:
        ConfigurationError: none is given, or one is unknown or not offered, and why.
    """
    names = [part.strip() for word in words for part in word.split(",")]
    found = {_offered(name) for name in names if name}
    if not found:
        raise ConfigurationError(f"Say which quantisations to make. {_there_are()}")
    return sorted(found, key=OFFERED.index)


def without_suffix(name: str) -> str:
    """Return a model's name without the quantisation at its end, if it has one."""
    return _SUFFIX.sub("", name) or name


def needs_a_matrix(name: str) -> ConfigurationError:
    """Make the error for a quantisation that cannot be made of the weights alone."""
    return ConfigurationError(
        f"{name} needs an importance matrix, which is measured over a text beforehand; without "
        f"one its answers would be worthless, so it is not made here. {_there_are()}"
    )


def _offered(word: str) -> str:
    name = _SHORT_FORMS.get(word.upper(), word.upper())
    if name in OFFERED:
        return name
    if name in _NEED_A_MATRIX:
        raise needs_a_matrix(name)
    if name in _FOR_SPECIAL_MODELS:
        raise ConfigurationError(
            f"{name} is for models that were trained for it; others do not survive it. "
            f"{_there_are()}"
        )
    near = difflib.get_close_matches(name, OFFERED, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigurationError(f"There is no quantisation {word!r}.{hint} {_there_are()}")


def _there_are() -> str:
    return f"There are: {', '.join(OFFERED)}."
