"""Which build of an engine is installed: the key under which its trial's verdict is kept."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comparator.storage.digests import Digests
from runners import registry
from runners.machine import cores
from runners.machine.processor import this_processor
from runners.registry import Engine

# libtorch_cpu alone has 430 MB, which takes a second and more to read and hash; a trial may take
# half of one. Files of such a size are known by their length and by samples of their content.
# The first sample holds the build's own mark (ELF build id), which changes with any of it.
READ_WHOLE_BYTES = 128 * 1024 * 1024
_SAMPLES, _SAMPLE_BYTES = 16, 65_536

_DISTRIBUTIONS = {"llama_cpp": "llama-cpp-python"}
_NATIVE = (".so", ".dylib", ".dll", ".pyd")
_OF_TORCH = ("torch_cpu.", "c10.")  # without lib- before; the rest takes no part in a trial
FileStamp = tuple[str, int, int]


@dataclass(frozen=True)
class Build:
    """An engine as it is installed here.

    Attributes:
        kind: the engine's name in the registry.
        library: the import name of the library that answers.
        version: of its distribution; empty where that is not known.
        native: a digest of its native files; empty where there are none.
        key: of this build on this machine; another machine or build has another.
    """

    kind: str
    library: str
    version: str
    native: str
    key: str


def stamps_of(library: str) -> tuple[FileStamp, ...]:
    """Return path, size and time of change of a library's native files, without reading them."""
    stamps = []
    for path in native_files(library):
        with contextlib.suppress(OSError):
            status = path.stat()
            stamps.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(stamps)


def build_of(kind: str, engine: Engine, digests: Digests) -> Build:
    """Return what is installed of an engine. Reads its native files the first time."""
    native = _digest(stamps_of(engine.library), digests)
    version = version_of(engine.library)
    others = [version_of(name) for name in engine.requires[1:]]
    processor = this_processor()
    parts = [
        kind, engine.library, version, others, native, processor.flags_hash, processor.name,
        cores.free_physical_cores(), os.cpu_count(), _job_digest(kind), list(engine.trial),
    ]  # fmt: skip
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return Build(kind, engine.library, version, native, key)


def native_files(library: str) -> list[Path]:
    """Return the native files of a library that compute; nothing is imported."""
    folder = _folder(library)
    if folder is None:
        return []
    inside = folder / "lib" if (folder / "lib").is_dir() else folder
    beside = folder.with_name(f"{folder.name}.libs")  # where repaired wheels keep theirs
    found = [path for place in (inside, beside) for path in _native_in(place)]
    if library == "torch":
        return [p for p in found if p.name.removeprefix("lib").startswith(_OF_TORCH)]
    return found


def version_of(library: str) -> str:
    """Return the version of the distribution that brings a library, empty where none does."""
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(library, library))
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""


def _folder(library: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(library)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _native_in(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.suffix in _NATIVE or ".so." in path.name:
                yield path


def _digest(stamps: tuple[FileStamp, ...], digests: Digests) -> str:
    total = hashlib.sha256()
    for path, size, _changed in stamps:
        whole = size <= READ_WHOLE_BYTES
        told = digests.of(Path(path)) if whole else sampled(Path(path), size)
        total.update(f"{os.path.basename(path)} {size} {told or 'unreadable'}\n".encode())
    return total.hexdigest() if stamps else ""


def sampled(path: Path, size: int) -> str:
    """Return a digest of a large file's size and of samples from its begin to its end."""
    digest = hashlib.sha256(str(size).encode())
    try:
        with open(path, "rb") as file:
            for number in range(_SAMPLES):
                file.seek((size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError:
        return ""
    return digest.hexdigest()


@functools.cache
def _job_digest(kind: str) -> str:
    """Return a digest of the trial itself: what it finds may change with our own code."""
    module = registry.JOBS.get(f"try_{kind}", "").partition(":")[0]
    with contextlib.suppress(ImportError, OSError, ValueError):
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin:
            return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
    return ""
