"""Which files of a model its load reads: the weights, by their names and their index.

transformers takes ``model.safetensors``, else the files that ``model.safetensors.index.json``
names, else the same of ``pytorch_model.bin`` (``modeling_utils``, the resolving of checkpoint
files). What else lies there (``consolidated.safetensors``, ``original/``, shards of another
count) is no part of the model, nor is an index of shards beside the single file. Where an index
names the single file itself, the index decides.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from comparator.core.exceptions import ModelLoadError
from comparator.core.text import with_controls_shown
from comparator.formats.json_files import read_json
from comparator.formats.model_files import is_weights_name, weights_read
from comparator.formats.shards import WEIGHT_SHARD, shards_of

SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")  # in the order of transformers
INDEX_ENDING = ".index.json"
_INDEXES_KEPT = 512


@dataclass(frozen=True)
class WeightFiles:
    """The weights of a transformers folder.

    Attributes:
        names: of the files that are read, there or not, in the order of the alphabet.
        index: the index that named them; None where there is none.
        problem: why they cannot be read, or None.
        is_refused: whether the index is none, or leads outside the folder.
    """

    names: tuple[str, ...]
    index: str | None = None
    problem: str | None = None
    is_refused: bool = False


def weight_files(model: Path) -> list[Path]:
    """Return the files with a model's weights, in the order of their names.

    Of a folder these are the files that transformers reads, of a GGUF model all its shards.
    Empty for a folder without weights.

    Raises:
        OSError: the folder cannot be listed.
    """
    if not model.is_dir():
        return shards_of(model)
    there = set(os.listdir(model))
    return [model / name for name in weights_of(model, there).names if name in there]


def weights_of(directory: Path, names: Collection[str]) -> WeightFiles:
    """Return which files of a transformers folder are its weights.

    Args:
        directory: the folder; only an index is read, and that only where the names alone do not
            tell.
        names: what lies in it.
    """
    for single in SINGLE_FILES:
        index = single + INDEX_ENDING
        if single == SINGLE_FILES[1] and _has_shards(names):
            break  # downloaded without their index, which is said where the model is checked
        found = _by_index(directory, index, names) if index in names else None
        is_left_over = found is None or (single not in found.names and not found.is_refused)
        if single in names and is_left_over:
            return WeightFiles((single,))
        if found is not None:
            return found
    return WeightFiles(tuple(sorted(weights_read(names))))


def is_read_by_transformers(found: WeightFiles) -> bool:
    """Return whether transformers finds weights by these names."""
    return found.index is not None or bool(set(found.names) & set(SINGLE_FILES))


def left_over(directory: Path, names: Collection[str]) -> list[str]:
    """Return the weights of a folder that are no part of its model, by name."""
    read = weights_of(directory, names).names
    return sorted(name for name in names if is_weights_name(name) and name not in read)


def _has_shards(names: Collection[str]) -> bool:
    stem, ending = os.path.splitext(SINGLE_FILES[0])
    matches = (WEIGHT_SHARD.match(name) for name in names if name.endswith(ending))
    return any(match and match["stem"] == stem for match in matches)


def _by_index(directory: Path, index: str, names: Collection[str]) -> WeightFiles:
    whole = _whole_set(index, names)
    if whole:
        return WeightFiles(whole, index)
    try:
        named = _named(str(directory / index), _stamp(directory / index))
    except ModelLoadError as error:
        return WeightFiles(tuple(sorted(weights_read(names))), index, str(error), True)
    missing = [name for name in named if name not in names]
    problem = None
    if missing:
        problem = (
            f"{with_controls_shown(missing[0])} is missing ({len(missing)} of {len(named)} shards) "
            f"but named by {index}. Download it again."
        )
    return WeightFiles(named, index, problem)


def _whole_set(index: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the shards where they are one whole set and nothing else is there.

    An index of a large model has megabytes, so that it is read only where it is needed.
    """
    stem, ending = os.path.splitext(index.removesuffix(INDEX_ENDING))
    alike = [name for name in names if name.endswith(ending)]
    matches = [match for name in alike if (match := WEIGHT_SHARD.match(name))]
    totals = {int(match["total"]) for match in matches if match["stem"] == stem}
    if len(matches) == len(alike) and totals == {len(alike)}:
        return tuple(sorted(alike))
    return ()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=_INDEXES_KEPT)
def _named(path: str, _stamp: tuple[int, int]) -> tuple[str, ...]:
    """Return the files that an index names.

    Raises:
        ModelLoadError: it is no index, or names a file outside the folder.
    """
    name = os.path.basename(path)
    try:
        table = read_json(Path(path)).get("weight_map")
        named = set(table.values()) if isinstance(table, dict) else set()
    except (ModelLoadError, TypeError) as error:
        raise _no_index(name) from error
    if not named:
        raise _no_index(name)
    for file in named:
        if not isinstance(file, str) or file != os.path.basename(file) or file in ("", ".", ".."):
            shown = with_controls_shown(repr(file)[:200])
            raise ModelLoadError(
                f"{name}: shard name {shown} leaves the folder; refused. An index may not name "
                "files outside the folder."
            )
    return tuple(sorted(named))


def _no_index(name: str) -> ModelLoadError:
    return ModelLoadError(f"{name} is no valid index of shards. Download it again.")
