"""Finding models below a folder, without opening their weights.

A transformers directory (``config.json`` beside weights) is one model, and a checkpoint inside it
another; the shards of a GGUF are one model; projectors, adapters, half-downloaded files and the
formats of other programs are none, each with its reason.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from comparator.core.location import OWN_SOURCE, Location
from comparator.core.models import ModelInfo, ModelType
from comparator.formats.model_files import (
    ECHO_SUFFIX,
    is_gguf,
    is_gguf_name,
    is_weights_name,
    without_gguf_suffix,
)
from comparator.formats.shards import GGUF_SHARD, WEIGHT_SHARD, shards_of
from comparator.formats.weights import (
    INDEX_ENDING,
    SINGLE_FILES,
    is_read_by_transformers,
    weights_of,
)
from comparator.library.duplicates import FileKey, PlacedModel, key_of, merged
from comparator.library.other_formats import BUNDLES, FoundFormat, formats_of

DEEPEST_LEVEL = 32
_HALF = re.compile(
    r"(^incomplete-.*|.*\.(gguf|safetensors|bin|pt|pth)([._-][^.]*)?"
    r"\.(incomplete|part|partial|crdownload|download|downloadinprogress|tmp|aria2))$"
)
_PROJECTOR = re.compile(r"mmproj.*\.gguf$")
_TRAINING = re.compile(
    r"^(optimizer|training_args|scheduler|rng_state|trainer_state).*\.(bin|pt|pth|safetensors)$"
)
_ADAPTER = re.compile(r"^adapter_model.*\.(bin|safetensors)$")
_IS_TRAINING = "The state of a training, no weights."
_IS_HALF = "Half downloaded: finish the download, or remove it."
_PASSED_OVER = (
    (_HALF, _IS_HALF),
    (_PROJECTOR, "A projector for images: a part of another model, which runs without it."),
    (_TRAINING, _IS_TRAINING),
)
_INDEXES = frozenset(single + INDEX_ENDING for single in SINGLE_FILES)
_PART_OF_FOLDER = (  # what makes two folders with the same weights two models
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    *_INDEXES,
)
_LOOSE_WEIGHTS = (
    "Weights only: config.json and the tokenizer files are missing beside it, "
    "so nothing says what to compute. Put them into the same folder."
)


@dataclass(frozen=True)
class Skipped:
    """An entry that was passed over, and why; ``name`` where people do not call it by its path."""

    path: str
    reason: str
    name: str = ""


@dataclass
class _Entries:
    """What lies in a folder: what may be a model, folders, all names, and what is passed over."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Scan:
    """What one walk over a folder found; ``found`` are the models before copies are merged."""

    models: list[ModelInfo] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    found: list[PlacedModel] = field(default_factory=list)


def scan(directory: Path) -> Scan:
    """Walk a folder and return its models, those that can be loaded first, by path."""
    whole = find(directory)
    whole.models = in_order(merged(whole.found))
    return whole


def find(directory: Path, source: str = OWN_SOURCE) -> Scan:
    """Walk a folder and return what it holds, copies and all; ``models`` is left to who merges.

    Args:
        directory: where to begin; links are followed, each folder is read once.
        source: the key of the program whose folder it is.
    """
    walk = _Walk(source)
    walk.visit(Path(os.path.abspath(directory)), 0)
    return walk.result


def in_order(models: list[ModelInfo]) -> list[ModelInfo]:
    """Return models as lists show them: those that can be loaded first, each kind by path."""
    return sorted(models, key=lambda model: (model.problem is not None, model.path.casefold()))


def inspect(path: Path) -> ModelInfo | None:
    """Return the model at one path (a file or a transformers directory), if it is one.

    A GGUF file needs no suffix, as in the store of Ollama.
    """
    path = Path(os.path.abspath(path))
    walk = _Walk(OWN_SOURCE)
    if path.is_dir():
        walk.visit(path, DEEPEST_LEVEL)
    elif _has_magic(path):
        walk.add_file(path, without_gguf_suffix(path.name), ModelType.GGUF, path.stat())
    else:
        shards = (shard for shard in shards_of(path) if shard.exists())
        files = {shard.name: shard.stat() for shard in shards}
        walk.visit_files(path.parent, _Entries(files, names=list(files)))
    if not path.is_dir():
        return walk.result.found[0].model if walk.result.found else None
    return next((f.model for f in walk.result.found if f.model.path == str(path)), None)


def _has_magic(path: Path) -> bool:
    """Return whether a file without a suffix that says what it is is a GGUF."""
    if _is_interesting(path.name.lower()):
        return False
    try:
        return is_gguf(path)
    except (OSError, ValueError):
        return False


class _Walk:
    def __init__(self, source: str) -> None:
        self.result = Scan()
        self._source = source
        self._seen: set[tuple[int, int]] = set()

    def visit(self, directory: Path, level: int, is_inside: bool = False) -> None:
        """Walk a folder; ``is_inside`` says that it lies in a model's, as checkpoints do."""
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            self._skip(directory, f"Cannot be read: {error.strerror or error}.")
            return
        sorted_out = self._sort(directory, entries)
        if not self._new(directory):
            return
        is_model, has_parts = self.visit_files(directory, sorted_out, is_inside)
        for name, reason in sorted_out.passed_over:
            if reason != _IS_TRAINING or not is_model:  # what lies beside its model is part of it
                self._skip(directory / name, reason)
        if not has_parts and level < DEEPEST_LEVEL:
            for name in sorted_out.folders:
                if not name.lower().endswith(BUNDLES):
                    self.visit(directory / name, level + 1, is_inside or is_model)

    def _sort(self, directory: Path, entries: list[os.DirEntry[str]]) -> _Entries:
        found = _Entries()
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir():
                    found.folders.append(entry.name)
                    found.names.append(f"{entry.name}/")
                    continue
                found.names.append(entry.name)
                lower = entry.name.lower()
                if _is_interesting(lower):
                    found.files[entry.name] = entry.stat()
                elif reason := next((w for kind, w in _PASSED_OVER if kind.search(lower)), None):
                    found.passed_over.append((entry.name, reason))
            except OSError as error:
                self._skip(directory / entry.name, f"Cannot be read: {error.strerror or error}.")
        return found

    def visit_files(
        self, directory: Path, entries: _Entries, is_inside: bool = False
    ) -> tuple[bool, bool]:
        """Add the models among the files of a folder.

        Returns:
            Whether it is a model itself, and whether the folders in it are parts and no models.
        """
        files = self._without_half_ones(directory, entries.files)
        names = [name for name in files if is_weights_name(name)]
        weights = {name: files[name] for name in names if not _ADAPTER.match(name.lower())}
        has_config = "config.json" in files
        is_read = has_config and is_read_by_transformers(weights_of(directory, files))
        others = formats_of(entries.names, is_read)
        is_others = any(other.format.is_folder for other in others)
        has_weights = bool(weights) or not _INDEXES.isdisjoint(files)
        is_model = has_config and has_weights and not is_others
        for other in others:
            self._tell_format(directory, other, is_inside)
        if is_model:
            self._add_directory(directory, files, weights)
        elif not is_inside and not is_others:
            for name, status in weights.items():
                if not any(other.is_of(name) for other in others):
                    self.add_file(directory / name, name, ModelType.PYTORCH, status, _LOOSE_WEIGHTS)
        self._add_gguf_files(directory, files)
        for name, status in files.items():
            if name.endswith(ECHO_SUFFIX):
                stem = name[: -len(ECHO_SUFFIX)]
                self.add_file(directory / name, stem, ModelType.ECHO, status)
        return is_model, any(other.format.has_parts for other in others)

    def _tell_format(self, directory: Path, other: FoundFormat, is_inside: bool) -> None:
        """Say what another program runs; copies of a model inside its own folder are no news."""
        if is_inside and not other.format.goes_before:
            return
        self._skip(
            directory if other.format.is_folder else directory / other.name, other.format.reason
        )

    def _without_half_ones(
        self, directory: Path, files: dict[str, os.stat_result]
    ) -> dict[str, os.stat_result]:
        """Leave out what aria2 still downloads: it keeps a control file beside the file."""
        half = [name for name in files if f"{name}.aria2" in files]
        for name in half:
            self._skip(directory / name, _IS_HALF)
        return {
            name: status
            for name, status in files.items()
            if name not in half and not name.endswith(".aria2")
        }

    def _add_directory(
        self,
        directory: Path,
        files: dict[str, os.stat_result],
        weights: dict[str, os.stat_result],
    ) -> None:
        read = weights_of(directory, files)
        used = {name: weights[name] for name in read.names if name in weights}
        size = sum(status.st_size for status in used.values())
        parts = {**used, **{name: files[name] for name in _PART_OF_FOLDER if name in files}}
        problem = read.problem or _missing_shard(used)
        self._add(str(directory), directory.name, ModelType.PYTORCH, size, key_of(parts), problem)

    def _add_gguf_files(self, directory: Path, files: dict[str, os.stat_result]) -> None:
        shards: dict[tuple[str, int], dict[int, os.stat_result]] = {}
        for name, status in files.items():
            if not is_gguf_name(name):
                continue
            match = GGUF_SHARD.match(name)
            if match is None:
                self.add_file(directory / name, without_gguf_suffix(name), ModelType.GGUF, status)
            else:
                key = (match["stem"], int(match["total"]))
                shards.setdefault(key, {})[int(match["number"])] = status
        for (stem, total), found in shards.items():
            self._add_shards(directory, stem, total, found)

    def _add_shards(
        self, directory: Path, stem: str, total: int, found: dict[int, os.stat_result]
    ) -> None:
        first = directory / f"{stem}-{min(found):05d}-of-{total:05d}.gguf"
        missing = sorted(set(range(1, total + 1)) - set(found))
        problem = _shard_is_missing(missing[0], total) if missing else None
        size = sum(status.st_size for status in found.values())
        key = key_of({str(number): status for number, status in found.items()})
        self._add(str(first), stem, ModelType.GGUF, size, key, problem, total)

    def add_file(
        self,
        path: Path,
        name: str,
        kind: ModelType,
        status: os.stat_result,
        problem: str | None = None,
    ) -> None:
        """Add a model that is one file."""
        problem = problem or next(_problems(status), None)
        self._add(str(path), name, kind, status.st_size, key_of({"": status}), problem)

    def _add(
        self,
        path: str,
        name: str,
        kind: ModelType,
        size: int,
        key: FileKey | None,
        problem: str | None,
        shards: int = 1,
    ) -> None:
        location = Location(self._source, problem=problem, shards=shards)
        model = ModelInfo("", name, path, kind, size, location=location)
        self.result.found.append(PlacedModel(model, key))

    def _new(self, directory: Path) -> bool:
        try:
            return self._new_status(directory.stat())
        except OSError:
            return False

    def _new_status(self, status: os.stat_result) -> bool:
        key = (status.st_dev, status.st_ino)
        if key in self._seen and key != (0, 0):
            return False
        self._seen.add(key)
        return True

    def _skip(self, path: Path, reason: str) -> None:
        self.result.skipped.append(Skipped(str(path), reason))


def _is_interesting(lower: str) -> bool:
    if lower.endswith(".aria2"):
        return True
    if any(kind.search(lower) for kind, _reason in _PASSED_OVER):
        return False
    if is_gguf_name(lower) or is_weights_name(lower) or lower.endswith(ECHO_SUFFIX):
        return True
    return lower in _PART_OF_FOLDER


def _missing_shard(weights: dict[str, os.stat_result]) -> str | None:
    """Return which shard of a transformers model is missing, by the names of the others."""
    matches = [match for name in weights if (match := WEIGHT_SHARD.match(name))]
    totals = {match["stem"]: int(match["total"]) for match in matches}
    for stem, total in totals.items():
        there = {int(match["number"]) for match in matches if match["stem"] == stem}
        missing = next((n for n in range(1, total + 1) if n not in there), None)
        if missing:
            return _shard_is_missing(missing, total)
    return None


def _shard_is_missing(number: int, total: int) -> str:
    return f"Shard {number} of {total} is missing. Download the missing files again."


def _problems(status: os.stat_result) -> Iterator[str]:
    if not stat.S_ISREG(status.st_mode):
        yield "Not a regular file."
    elif status.st_size == 0:
        yield "The file is empty (0 bytes). Download it again."
