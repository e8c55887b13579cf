"""Which files of a model its load reads: the weights, by their names alone."""

from __future__ import annotations

from pathlib import Path

from comparator.formats.model_files import weights_read
from comparator.formats.shards import shards_of


def weight_files(model: Path) -> list[Path]:
    """Return the files with a model's weights, in the order of their names.

    Of a folder these are the safetensors, or without any the older kinds, as transformers
    chooses; of a GGUF model all its shards. Empty for a folder without weights.

    Raises:
        OSError: the folder cannot be listed.
    """
    if not model.is_dir():
        return shards_of(model)
    return [model / name for name in weights_read(sorted(path.name for path in model.iterdir()))]
