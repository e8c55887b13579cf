"""Finding models below a folder, without opening their weights.

A transformers directory (``config.json`` beside weights) is one model; the shards of a GGUF
are one model; projectors, adapters and half-downloaded files are none.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comparator.core.models import ModelInfo, ModelType

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
ECHO_SUFFIX = ".echo.json"
DEEPEST_LEVEL = 32
MOST_SHARDS = 10_000
_SHARD = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf$", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"mmproj|\.(incomplete|part|partial|crdownload|download|tmp|aria2)$", re.IGNORECASE
)
_NO_WEIGHTS = re.compile(
    r"^(optimizer|training_args|scheduler|rng_state|adapter_model|trainer_state)", re.IGNORECASE
)
_LOOSE_WEIGHTS = (
    "Weights only: config.json and the tokenizer files are missing beside it, "
    "so nothing says what to compute. Put them into the same folder."
)


@dataclass(frozen=True)
class Skipped:
    """An entry that was passed over, and why."""

    path: str
    reason: str


@dataclass
class Scan:
    """What one walk over a folder found."""

    models: list[ModelInfo] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def scan(directory: Path) -> Scan:
    """Walk a folder and return its models, those that can be loaded first, by path."""
    walk = _Walk()
    walk.visit(Path(os.path.abspath(directory)), 0)
    walk.result.models.sort(key=lambda model: (model.problem is not None, model.path.casefold()))
    return walk.result


def inspect(path: Path) -> ModelInfo | None:
    """Return the model at one path (a file or a transformers directory), if it is one."""
    path = Path(os.path.abspath(path))
    walk = _Walk()
    if path.is_dir():
        walk.visit(path, DEEPEST_LEVEL)
        found = [model for model in walk.result.models if model.path == str(path)]
        return found[0] if found else None
    walk.visit_files(path.parent, {path.name: path.stat()} if path.exists() else {})
    return walk.result.models[0] if walk.result.models else None


def shards_of(path: Path) -> list[Path]:
    """Return all files of a GGUF model by the path of its first one; often only that one."""
    match = _SHARD.match(path.name)
    if match is None or int(match["total"]) > MOST_SHARDS:
        return [path]
    total = int(match["total"])
    return [
        path.with_name(f"{match['stem']}-{number:05d}-of-{total:05d}{path.suffix}")
        for number in range(1, total + 1)
    ]


class _Walk:
    def __init__(self) -> None:
        self.result = Scan()
        self._seen: set[tuple[int, int]] = set()

    def visit(self, directory: Path, level: int) -> None:
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            self._skip(directory, f"Cannot be read: {error.strerror or error}.")
            return
        files, folders = self._sort(directory, entries)
        if not self._new(directory):
            return
        whole = self.visit_files(directory, files)
        if not whole and level < DEEPEST_LEVEL:
            for name in folders:
                self.visit(directory / name, level + 1)

    def _sort(
        self, directory: Path, entries: list[os.DirEntry[str]]
    ) -> tuple[dict[str, os.stat_result], list[str]]:
        files: dict[str, os.stat_result] = {}
        folders: list[str] = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir():
                    folders.append(entry.name)
                elif _is_interesting(entry.name):
                    files[entry.name] = entry.stat()
            except OSError as error:
                self._skip(directory / entry.name, f"Cannot be read: {error.strerror or error}.")
        return files, folders

    def visit_files(self, directory: Path, files: dict[str, os.stat_result]) -> bool:
        """Add the models among the files of a folder; return whether it is one itself."""
        weights = {
            name: status
            for name, status in files.items()
            if name.lower().endswith(WEIGHT_SUFFIXES) and not _NO_WEIGHTS.match(name)
        }
        whole = "config.json" in files and bool(weights)
        if "adapter_config.json" in files:
            self._skip(directory, "A LoRA adapter: it needs its base model.")
        elif whole:
            self._add_directory(directory, files, weights)
        else:
            for name, status in weights.items():
                self._add_file(directory / name, name, ModelType.PYTORCH, status, _LOOSE_WEIGHTS)
        self._add_gguf_files(directory, files)
        for name, status in files.items():
            if name.endswith(ECHO_SUFFIX):
                stem = name[: -len(ECHO_SUFFIX)]
                self._add_file(directory / name, stem, ModelType.ECHO, status)
        return whole

    def _add_directory(
        self,
        directory: Path,
        files: dict[str, os.stat_result],
        weights: dict[str, os.stat_result],
    ) -> None:
        tensors = {n: s for n, s in weights.items() if n.lower().endswith(".safetensors")}
        size = sum(status.st_size for status in (tensors or weights).values())
        self.result.models.append(
            ModelInfo("", directory.name, str(directory), ModelType.PYTORCH, size)
        )

    def _add_gguf_files(self, directory: Path, files: dict[str, os.stat_result]) -> None:
        shards: dict[tuple[str, int], dict[int, os.stat_result]] = {}
        for name, status in files.items():
            if not name.lower().endswith(".gguf"):
                continue
            match = _SHARD.match(name)
            if match is None:
                self._add_file(directory / name, name[:-5], ModelType.GGUF, status)
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
        config: dict[str, Any] = {"shards": total}
        if missing:
            config["problem"] = (
                f"Shard {missing[0]} of {total} is missing. Download the missing files again."
            )
        size = sum(status.st_size for status in found.values())
        self.result.models.append(ModelInfo("", stem, str(first), ModelType.GGUF, size, config))

    def _add_file(
        self,
        path: Path,
        name: str,
        kind: ModelType,
        status: os.stat_result,
        problem: str | None = None,
    ) -> None:
        if not self._new_status(status):
            return
        problem = problem or next(_problems(status), None)
        config = {"problem": problem} if problem else {}
        self.result.models.append(ModelInfo("", name, str(path), kind, status.st_size, config))

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


def _is_interesting(name: str) -> bool:
    lower = name.lower()
    if _NO_MODEL.search(lower):
        return False
    return lower.endswith((".gguf", ECHO_SUFFIX, *WEIGHT_SUFFIXES)) or lower in (
        "config.json",
        "adapter_config.json",
    )


def _problems(status: os.stat_result) -> Iterator[str]:
    if not stat.S_ISREG(status.st_mode):
        yield "Not a regular file."
    elif status.st_size == 0:
        yield "The file is empty (0 bytes). Download it again."
