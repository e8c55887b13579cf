"""The scores of the trial's tiny models, computed by numpy in float64 and by nothing of ours.

``python tests/support/tiny_reference.py`` prints what belongs into ``trial_reference.REFERENCE``.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import gguf
import numpy

from runners.engines.gguf import tiny_model
from runners.engines.gguf.trial import signature
from runners.engines.gguf.trial_reference import STEP, TOKENS

ROPE_BASE = 10000.0


def weights(kind: str) -> dict[str, Any]:
    """Return the matrices of a type, made numbers by the package gguf."""
    return {name: _matrix(name, kind, rows) for name, rows in tiny_model.MATRICES.items()}


def _matrix(name: str, kind: str, rows: int) -> Any:
    raw = tiny_model.blocks(name, kind, rows)
    if kind in ("F32", "F16"):
        numbers = raw.view("<f4" if kind == "F32" else "<f2")
    else:
        number = gguf.GGMLQuantizationType(tiny_model.BLOCK_TYPES[kind].number)
        numbers = gguf.quants.dequantize(raw, number)
    return numbers.astype(numpy.float64).reshape(rows, tiny_model.WIDTH)


def scores(kind: str, tokens: Sequence[int] = TOKENS) -> Any:
    """Return the scores of each token, of shape [tokens, vocabulary]."""
    matrices = weights(kind)
    stream = matrices["token_embd"][list(tokens)]
    stream = stream + _attention(_normed(stream), matrices)
    return _normed(stream + _feed_forward(_normed(stream), matrices)) @ matrices["output"].T


def _normed(values: Any) -> Any:
    mean = (values * values).mean(-1, keepdims=True)
    return values / numpy.sqrt(mean + tiny_model.NORM_EPSILON)


def _attention(values: Any, matrices: dict[str, Any]) -> Any:
    size = tiny_model.WIDTH // tiny_model.HEADS
    group = tiny_model.HEADS // tiny_model.KEY_VALUE_HEADS
    query, key, value = (
        (values @ matrices[f"blk.0.attn_{part}"].T).reshape(len(values), -1, size)
        for part in ("q", "k", "v")
    )
    key, value = (numpy.repeat(part, group, 1) for part in (_turned(key), value))
    match = numpy.einsum("ihd,jhd->hij", _turned(query), key) / numpy.sqrt(size)
    match = numpy.where(numpy.tri(len(values), dtype=bool), match, -numpy.inf)
    shares = numpy.exp(match - match.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed = numpy.einsum("hij,jhd->ihd", shares, value).reshape(len(values), -1)
    return mixed @ matrices["blk.0.attn_output"].T


def _turned(values: Any) -> Any:
    """Turn pairs of neighbours by their position (rotary embedding, as Llama in a GGUF)."""
    count, _, size = values.shape
    speeds = ROPE_BASE ** (-numpy.arange(0, size, 2) / size)
    angles = (numpy.arange(count)[:, None] * speeds)[:, None]
    even, odd = values[..., 0::2], values[..., 1::2]
    turned = numpy.empty_like(values)
    turned[..., 0::2] = even * numpy.cos(angles) - odd * numpy.sin(angles)
    turned[..., 1::2] = even * numpy.sin(angles) + odd * numpy.cos(angles)
    return turned


def _feed_forward(values: Any, matrices: dict[str, Any]) -> Any:
    gate, up = (values @ matrices[f"blk.0.ffn_{part}"].T for part in ("gate", "up"))
    return (gate / (1 + numpy.exp(-gate)) * up) @ matrices["blk.0.ffn_down"].T


def reference(kind: str) -> str:
    """Return a line of the reference: a byte for each token's signature."""
    steps = [round(signature(row) / STEP) for row in scores(kind)]
    assert all(-128 <= step <= 127 for step in steps)
    return base64.b64encode(bytes(step & 0xFF for step in steps)).decode()


if __name__ == "__main__":
    for name in tiny_model.BLOCK_TYPES:
        print(f'    "{name}": "{reference(name)}",')
