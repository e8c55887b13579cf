"""Random damage to small models, repeatable by a seed, and the question that each is asked."""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import model_files

from comparator.core.config import ModelConfig
from comparator.core.models import InferenceResult, ModelInfo
from comparator.services.inference_engine import InferenceEngine
from runners.process import Deadlines

LIMIT_SECONDS = 30.0
DEADLINES = Deadlines(20, 20, 20, LIMIT_SECONDS)
ODD_NUMBERS = (0, 1, 2, 7, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**62, 2**64 - 1)


def damaged(content: bytes, header: int, chance: random.Random) -> bytes:
    """Return a file's bytes with one to four faults, most of them in its header.

    Args:
        content: the whole file.
        header: how many bytes describe the rest.
        chance: where the faults come from.
    """
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        within = header if chance.random() < 0.9 else len(data)
        at = chance.randrange(max(1, min(within, len(data))))
        chance.choice((_flip, _flip, _set, _number, _number, _remove, _repeat, _cut))(
            data, at, chance
        )
    return bytes(data)


def _flip(data: bytearray, at: int, chance: random.Random) -> None:
    if data:
        data[at % len(data)] ^= 1 << chance.randrange(8)


def _set(data: bytearray, at: int, chance: random.Random) -> None:
    if data:
        data[at % len(data)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x7B))


def _number(data: bytearray, at: int, chance: random.Random) -> None:
    value, code = chance.choice(ODD_NUMBERS), chance.choice("IQ")
    size = struct.calcsize(code)
    data[at : at + size] = struct.pack("<" + code, value % 2 ** (8 * size))


def _remove(data: bytearray, at: int, chance: random.Random) -> None:
    del data[at : at + chance.choice((1, 2, 4, 8, 100))]


def _repeat(data: bytearray, at: int, chance: random.Random) -> None:
    size = chance.choice((1, 4, 8, 64))
    data[at:at] = data[at : at + size]


def _cut(data: bytearray, at: int, chance: random.Random) -> None:
    if chance.random() < 0.2:
        del data[at:]


def gguf_mutant(whole: Path, place: Path, seed: int) -> ModelInfo:
    """Write a damaged copy of a GGUF file."""
    content = whole.read_bytes()
    header = content.index(b"output.weight") + 64  # descriptions of tensors end near the last
    path = place / f"mutant{seed}.gguf"
    path.write_bytes(damaged(content, header, random.Random(seed)))
    return model_files.as_model(path)


def folder_mutant(whole: Path, place: Path, seed: int) -> ModelInfo:
    """Write a copy of a folder with a damaged safetensors header, or one damaged JSON file."""
    chance = random.Random(seed)
    folder = Path(shutil.copytree(whole, place / f"mutant{seed}"))
    name = (
        "model.safetensors"
        if chance.random() < 0.7
        else chance.choice(
            ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")
        )
    )
    content = (folder / name).read_bytes()
    header = len(content)
    if name == "model.safetensors":
        header = 8 + struct.unpack("<Q", content[:8])[0]
    (folder / name).write_bytes(damaged(content, header, chance))
    return model_files.as_model(folder)


def survived(engine: InferenceEngine, mutants: Sequence[ModelInfo]) -> list[InferenceResult]:
    """Ask up to four mutants at once; check that each ends in time, by an answer or a sentence."""
    settings = ModelConfig(max_tokens=2, n_threads=1, n_ctx=64, temperature=0.0)  # no end by chance
    configs = {model.id: settings for model in mutants}
    *_, last = engine.run_inference("ab", list(mutants), configs, together=True)
    results = list(last.values())
    for model, result in zip(mutants, results, strict=True):
        assert result.is_complete
        if result.error is not None:
            assert result.error_kind != "timeout", (model.path, result.error)
            assert len(result.error) < 2000
            assert "Traceback" not in result.error
            assert result.error.rstrip().endswith((".", "?")), (model.path, result.error)
    return results
