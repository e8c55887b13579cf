"""Tiny GGUF models of each common quantisation, made on the spot, for the trial of an engine.

One layer of a Llama without a vocabulary, every matrix in one type. The weights are the same
bytes each time, with scales that make them as large as those of a real model. The layouts of
the blocks are those of ggml-common.h, the file is as docs/gguf.md of ggml describes it.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

WIDTH = 256  # the shortest row of which every type can make blocks
HEADS, KEY_VALUE_HEADS = 4, 2
FEED_FORWARD = 256
VOCABULARY_TOKENS = 64
CONTEXT_TOKENS = 1024
NORM_EPSILON = 1e-5
_KEY_VALUE_WIDTH = WIDTH * KEY_VALUE_HEADS // HEADS
_WEIGHT = 1 / 16  # standard deviation of a weight, so that no layer grows or shrinks
_MAGIC, _VERSION, _ALIGNMENT = b"GGUF", 3, 32
_UINT, _FLOAT, _TEXT = 4, 6, 8  # gguf.h: enum gguf_type

# Name of a matrix -> its rows; a row is as long as the layer before is wide.
MATRICES = {
    "token_embd": VOCABULARY_TOKENS,
    "blk.0.attn_q": WIDTH,
    "blk.0.attn_k": _KEY_VALUE_WIDTH,
    "blk.0.attn_v": _KEY_VALUE_WIDTH,
    "blk.0.attn_output": WIDTH,
    "blk.0.ffn_gate": FEED_FORWARD,
    "blk.0.ffn_up": FEED_FORWARD,
    "blk.0.ffn_down": WIDTH,
    "output": VOCABULARY_TOKENS,
}
NORMS = ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")


class BlockType(NamedTuple):
    """How a type of numbers is stored.

    Attributes:
        number: ggml.h, enum ggml_type.
        weights: in a block.
        size: of a block, in bytes.
        scales: where a block has 16-bit floats, and how large each is.
    """

    number: int
    weights: int
    size: int
    scales: Mapping[int, float] = {}


# The second scale of a block, where it has one, is what makes the mean weight zero.
BLOCK_TYPES: dict[str, BlockType] = {
    "F32": BlockType(0, 1, 4),
    "F16": BlockType(1, 1, 2),
    "BF16": BlockType(30, 1, 2),
    "Q4_0": BlockType(2, 32, 18, {0: _WEIGHT / 4.61}),
    "Q4_1": BlockType(3, 32, 20, {0: _WEIGHT / 4.61, 2: -7.5 * _WEIGHT / 4.61}),
    "Q5_0": BlockType(6, 32, 22, {0: _WEIGHT / 9.23}),
    "Q5_1": BlockType(7, 32, 24, {0: _WEIGHT / 9.23, 2: -15.5 * _WEIGHT / 9.23}),
    "Q8_0": BlockType(8, 32, 34, {0: _WEIGHT / 73.9}),
    "Q2_K": BlockType(10, 256, 84, {80: _WEIGHT / 13.9, 82: 1.5 * _WEIGHT / 13.9}),
    "Q3_K": BlockType(11, 256, 110, {108: _WEIGHT / 43.3}),
    "Q4_K": BlockType(12, 256, 144, {0: _WEIGHT / 258, 2: 7.5 * _WEIGHT / 258}),
    "Q5_K": BlockType(13, 256, 176, {0: _WEIGHT / 527, 2: 15.5 * _WEIGHT / 527}),
    "Q6_K": BlockType(14, 256, 210, {208: _WEIGHT / 1365}),
    "IQ4_NL": BlockType(20, 32, 18, {0: _WEIGHT / 70}),
    "IQ4_XS": BlockType(23, 256, 136, {0: _WEIGHT / 1290}),
}


def blocks(name: str, kind: str, rows: int) -> Any:
    """Return a matrix's bytes, uint8 of shape [rows, bytes of a row]; the same each time."""
    import numpy

    layout = BLOCK_TYPES[kind]
    count = rows * WIDTH // layout.weights
    source = random.Random(f"{name} {kind}")
    if layout.weights == 1:
        numbers = numpy.frombuffer(source.randbytes(count), numpy.uint8).astype(numpy.float32)
        numbers = (numbers - 127.5) * numpy.float32(_WEIGHT / 73.9)
        return _floats(kind, numbers).view(numpy.uint8).reshape(rows, -1)
    drawn = numpy.frombuffer(source.randbytes(count * layout.size), numpy.uint8)
    made = drawn.reshape(count, layout.size).copy()
    if kind == "Q8_0":
        made[made == 0x80] = 0x81  # no quantiser writes -128
    unequal = numpy.frombuffer(source.randbytes(count), numpy.uint8) / 255 + 0.5
    for place, scale in layout.scales.items():
        halves = (scale * unequal).astype("<f2")
        made[:, place : place + 2] = halves.view(numpy.uint8).reshape(count, 2)
    return made.reshape(rows, -1)


def _floats(kind: str, numbers: Any) -> Any:
    if kind == "BF16":
        return (numbers.view("<u4") >> 16).astype("<u2")
    return numbers.astype("<f2" if kind == "F16" else "<f4")


def write(path: Path, kind: str) -> None:
    """Write the model whose matrices are all of one type, some 100 kB to 2 MB."""
    tensors = [(f"{name}.weight", kind, rows, blocks(name, kind, rows).tobytes())
               for name, rows in MATRICES.items()]  # fmt: skip
    ones = struct.pack("<f", 1.0) * WIDTH
    tensors += [(f"{name}.weight", "F32", 0, ones) for name in NORMS]
    header = _header(tensors)
    with path.open("wb") as file:
        file.write(_padded(header))
        file.writelines(_padded(content) for *_, content in tensors)


def _header(tensors: Sequence[tuple[str, str, int, bytes]]) -> bytes:
    entries = list(_entries())
    parts = [struct.pack("<4sIQQ", _MAGIC, _VERSION, len(tensors), len(entries)), *entries]
    place = 0
    for name, kind, rows, content in tensors:
        shape = (WIDTH, rows) if rows else (WIDTH,)
        numbers = (len(shape), *shape, BLOCK_TYPES[kind].number, place)
        parts.append(_text(name) + struct.pack(f"<I{len(shape)}QIQ", *numbers))
        place += len(_padded(content))
    return b"".join(parts)


def _entries() -> Iterator[bytes]:
    """Yield what the header says of the model."""
    numbers = {
        "block_count": 1,
        "context_length": CONTEXT_TOKENS,
        "embedding_length": WIDTH,
        "feed_forward_length": FEED_FORWARD,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KEY_VALUE_HEADS,
        "vocab_size": VOCABULARY_TOKENS,
    }
    epsilon = "llama.attention.layer_norm_rms_epsilon"
    yield _text("general.architecture") + struct.pack("<I", _TEXT) + _text("llama")
    yield _text("tokenizer.ggml.model") + struct.pack("<I", _TEXT) + _text("no_vocab")
    yield _text(epsilon) + struct.pack("<If", _FLOAT, NORM_EPSILON)
    for key, number in numbers.items():
        yield _text(f"llama.{key}") + struct.pack("<II", _UINT, number)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode("ascii")


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % _ALIGNMENT)
