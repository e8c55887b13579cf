"""Models with random weights in the measures of real ones, made where they are needed.

The smallest has the starter model's measures, tokenizer and chat template, where
``scripts/gpu_carry`` has carried those along.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import memory_models
from ..memory_models import Shape
from .scene import Scene
from .steps import Row

# SmolLM2-135M, and the usual measures of Llamas of one and of seven billion weights.
SHAPES = {
    "starter": Shape("llama", "bfloat16", 576, 30, 9, 3, 1536, 49_152),
    "1b": Shape("llama", "bfloat16", 2048, 16, 32, 8, 8192, 49_152),
    "7b": Shape("llama", "bfloat16", 4096, 32, 32, 32, 11_008, 32_000),
}
TINY = Shape("llama", "bfloat16", 128, 2, 4, 2, 256, 2048)
HEADER = "header.gguf"  # of the starter model, without its tensors
GGUF_SIZES = ("starter", "1b")
SMALL_FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
               "chat_template.jinja")  # fmt: skip
_SCALE = 0.001  # of Q8_0's 8 bits, so that weights lie about as far from 0 as trained ones
_BLOCK = 32


def shape_of(scene: Scene, size: str) -> Shape:
    """Return the measures of a model; tiny ones where a CPU stands in."""
    return SHAPES[size] if scene.device.is_real else TINY


def run(scene: Scene) -> None:
    """Make all models that are not there yet."""
    scene.folder.mkdir(parents=True, exist_ok=True)
    for size in scene.sizes:
        _timed(scene, scene.pytorch(size), lambda size=size: _folder(scene, size))
        if size in GGUF_SIZES:
            _timed(scene, scene.gguf(size), lambda size=size: _gguf(scene, size))


def _timed(scene: Scene, path: Path, make: Any) -> None:
    if not path.exists():
        began = time.monotonic()
        make()
        scene.tell(Row(f"made {path.name}", time.monotonic() - began, "s"))


def _folder(scene: Scene, size: str) -> None:
    """Make a transformers directory under another name, so that a half one is never taken."""
    half = scene.folder / f".{size}-half"
    shutil.rmtree(half, ignore_errors=True)
    memory_models.write_folder(half, shape_of(scene, size), device=scene.device.kind)
    if size == "starter" and scene.device.is_real and scene.carried is not None:
        for name in SMALL_FILES[1:]:
            if (scene.carried / "starter" / name).exists():
                shutil.copy(scene.carried / "starter" / name, half / name)
    half.rename(scene.pytorch(size))


def _gguf(scene: Scene, size: str) -> None:
    half = scene.folder / f".{size}-half.gguf"
    shape = replace(shape_of(scene, size), number="Q8_0")
    header = scene.carried / "starter" / HEADER if scene.carried else None
    if size == "starter" and scene.device.is_real and header is not None and header.exists():
        _with_header(half, shape, header)
    else:
        memory_models.write_gguf(half, shape, random_blocks)
    half.rename(scene.gguf(size))


def _with_header(path: Path, shape: Shape, header: Path) -> None:
    """Write a file with the fields of another: its vocabulary, its chat template, its measures."""
    import numpy
    from gguf import GGMLQuantizationType, GGUFWriter

    writer = GGUFWriter(path, shape.architecture)
    copy_fields(header, writer)
    source = numpy.random.default_rng(0)
    for name, dimensions in memory_models.gguf_tensors(shape):
        if name == "output.weight":  # SmolLM2 writes with the matrix that it reads by
            continue
        if len(dimensions) == 1:
            writer.add_tensor(name, numpy.ones(dimensions, dtype=numpy.float32))
        else:
            number = GGMLQuantizationType.Q8_0
            writer.add_tensor(name, random_blocks(source, dimensions), raw_dtype=number)
    write(writer)


def write_header(source: Path, target: Path) -> None:
    """Write a GGUF file anew without its tensors."""
    from gguf import GGUFWriter

    writer = GGUFWriter(target, "llama")
    copy_fields(source, writer)
    write(writer)


def copy_fields(source: Path, writer: Any) -> None:
    """Give a writer all fields of a GGUF file but its tensors."""
    from gguf import GGUFReader, GGUFValueType

    for field in GGUFReader(source).fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        is_list = field.types[0] is GGUFValueType.ARRAY
        of_it = {"sub_type": field.types[-1]} if is_list else {}
        writer.add_key_value(field.name, field.contents(), field.types[0], **of_it)


def write(writer: Any) -> None:
    """Write what a writer was given, and close it."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def random_blocks(source: Any, dimensions: tuple[int, ...]) -> Any:
    """Return a matrix in Q8_0 without quantising anything: as bytes, rows first.

    A block of 32 weights is a scale of 16 bits and 32 whole numbers of 8 bits (``block_q8_0`` of
    ggml's ``ggml-common.h``).
    """
    import numpy

    rows, width = int(numpy.prod(dimensions[:-1])), dimensions[-1] // _BLOCK
    blocks = numpy.empty((rows, width, 2 + _BLOCK), dtype=numpy.uint8)
    blocks[..., :2] = numpy.frombuffer(numpy.float16(_SCALE).tobytes(), dtype=numpy.uint8)
    blocks[..., 2:] = source.integers(0, 256, (rows, width, _BLOCK), dtype=numpy.uint8)
    return blocks.reshape(*dimensions[:-1], width * (2 + _BLOCK))
