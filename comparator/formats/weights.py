"""Which files of a model its load reads: the weights, by their names alone."""

from __future__ import annotations

from pathlib import Path

from comparator.formats.shards import WEIGHT_SUFFIXES, shards_of


def weight_files(model: Path) -> list[Path]:
    """Return the files with a model's weights, in the order of their names.

    Of a folder these are the safetensors, or without any the older kinds, as transformers
    chooses; of a GGUF model all its shards. Empty for a folder without weights.

    Raises:
        OSError: the folder cannot be listed.
    """
    if not model.is_dir():
        return shards_of(model)
    weights = sorted(p for p in model.iterdir() if p.name.lower().endswith(WEIGHT_SUFFIXES))
    tensors = [path for path in weights if path.name.lower().endswith(".safetensors")]
    return tensors or weights
