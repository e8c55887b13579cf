"""The names that people know quantisations by, as they stand in names of files and folders.

``Q4_K_M`` and its kin are llama.cpp's recipes; ``UD-`` (Unsloth) and ``i1-`` (mradermacher) go
before a recipe that its maker changed. How file names are built:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (naming convention).
"""

from __future__ import annotations

import re

_RECIPE = (
    r"(?:I?Q\d(?:_[01](?:_\d_\d|_R\d{1,2}|_G128)?|_K(?:_(?:XXL|XL|XS|L|M|S|R\d{1,2}))?"
    r"|_(?:KSS|KS|KT|KL|KV|NL|BN|XXS|XS|S|M|L|XL)(?:_R\d{1,2})?)?"
    r"|TQ\d_\d|I2_S|MXFP4(?:_MOE)?|NVFP4|BF16|FP?16|FP?32)"
)
# What may still come behind a quantisation in a name.
_TAIL = r"(?:[.\-_ ](?:imat(?:rix)?|imx|gguf|pure|hifi|v\d+(?:\.\d+)?|\d+(?:\.\d+)?bpw))*"
_LABEL = re.compile(
    rf"(?:^|[.\-_:/ ])(?:(?P<prefix>UD|i1)[.\-_])?(?P<recipe>{_RECIPE}){_TAIL}$", re.IGNORECASE
)
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_PREFIXES = {"ud": "UD", "i1": "i1"}


def label_in(name: str) -> str | None:
    """Return the quantisation at the end of a name without its suffix, as people write it.

    ``a-UD-Q4_K_XL-00001-of-00002`` gives ``UD-Q4_K_XL``, ``a.i1-iq3_xs`` gives ``i1-IQ3_XS``.
    """
    match = _LABEL.search(_SHARD.sub("", name))
    if match is None:
        return None
    recipe = match["recipe"].upper().replace("FP16", "F16").replace("FP32", "F32")
    prefix = _PREFIXES.get((match["prefix"] or "").lower())
    return f"{prefix}-{recipe}" if prefix else recipe


def prefix_of(label: str) -> str | None:
    """Return the maker's sign before a recipe, such as ``UD``."""
    sign, found, _recipe = label.partition("-")
    return sign if found and sign.lower() in _PREFIXES else None


def recipe_of(label: str) -> str:
    """Return a label without the maker's sign."""
    sign = prefix_of(label)
    return label[len(sign) + 1 :] if sign else label
