"""Which models are the same bytes: one model may lie in several places.

Two names of one file are known at once, by device and inode. Copies are known by their SHA-256,
which is read from the name where the store is named by content (Ollama, the Hub's cache), and
otherwise from a cache; computing it is for whoever asks.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from comparator.core.models import ModelInfo, ModelType
from comparator.formats.shards import GGUF_SHARD, shards_of
from comparator.formats.weights import weights_of

FileKey = tuple[tuple[str, int, int], ...]
_BESIDE_WEIGHTS = (".json", ".jinja", ".model", ".txt")


@dataclass(frozen=True)
class PlacedModel:
    """A model in one place; ``key`` is equal for other names of the same files, None if unknown."""

    model: ModelInfo
    key: FileKey | None


def key_of(files: Mapping[str, os.stat_result]) -> FileKey | None:
    """Return a key by device and inode of a model's files; None where there are no inodes."""
    key = tuple(sorted((name, status.st_dev, status.st_ino) for name, status in files.items()))
    return key if all(inode for _name, _device, inode in key) else None


def merged(found: Iterable[PlacedModel]) -> list[ModelInfo]:
    """Return each model once, with all its places; the first one found is the one used."""
    known: dict[tuple[ModelType, FileKey], ModelInfo] = {}
    result: list[ModelInfo] = []
    for entry in found:
        model = entry.model
        earlier = known.get((model.model_type, entry.key)) if entry.key else None
        if earlier is not None:
            _add_places(earlier, model)
            continue
        model.location = replace(model.location, places=model.places)
        result.append(model)
        if entry.key:
            known[model.model_type, entry.key] = model
    return result


def place_ids(model: ModelInfo) -> set[str]:
    """Return the ids under which a model is known: one for each of its places."""
    places = [ModelInfo("", "", place.path, model.model_type, 0) for place in model.places]
    return {model.id, *(place.id for place in places)}


def _add_places(model: ModelInfo, other: ModelInfo) -> None:
    places = tuple(dict.fromkeys((*model.places, *other.places)))
    model.location = replace(model.location, places=places)


def merged_by_content(
    models: Iterable[ModelInfo], digest_of: Callable[[Path], str | None]
) -> list[ModelInfo]:
    """Return models with copies of the same content merged, as far as digests are known.

    Only models of one engine and size are looked at; ``digest_of`` returns None where it does
    not know the SHA-256 of a file.
    """
    models = list(models)
    sizes = Counter((model.model_type, model.size) for model in models)
    first: dict[tuple[ModelType, tuple[tuple[str, str], ...]], ModelInfo] = {}
    result: list[ModelInfo] = []
    for model in models:
        alone = sizes[model.model_type, model.size] == 1 or model.problem
        content = None if alone else _content(model, digest_of)
        earlier = first.get((model.model_type, content)) if content else None
        if earlier is None:
            result.append(model)
            if content:
                first[model.model_type, content] = model
        else:
            _add_places(earlier, model)
    return result


def _content(
    model: ModelInfo, digest_of: Callable[[Path], str | None]
) -> tuple[tuple[str, str], ...] | None:
    try:
        parts = list(parts_of(model))
    except OSError:  # it went away, or its folder cannot be read
        return None
    digests = {name: digest_of(path) for name, path in parts}
    content = tuple((name, digest) for name, digest in digests.items() if digest)
    return content if content and len(content) == len(parts) else None


def parts_of(model: ModelInfo) -> Iterator[tuple[str, Path]]:
    """Yield the files that make a model what it is, each with its name inside the model."""
    path = Path(model.path)
    if path.is_dir():
        names = os.listdir(path)
        read = weights_of(path, names).names
        beside = {name for name in names if name.lower().endswith(_BESIDE_WEIGHTS)}
        yield from ((name, path / name) for name in sorted({*read, *beside}))
    elif GGUF_SHARD.match(path.name):
        yield from ((str(number), shard) for number, shard in enumerate(shards_of(path)))
    else:
        yield "", path
