"""The folder that becomes a Space: the program and the card, and nothing else.

It is made beside its place and moved there when it is whole; the same source makes the same
bytes. ``spaces/`` itself is left out: a folder of that name beside ``app.py`` breaks Gradio on a
Space (docs/decisions/0005-no-init-in-spaces.md).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comparator.core.exceptions import ConfigurationError

MANIFEST = "bundle.json"  # says that a folder is a bundle, and of which files
SOURCE = Path(__file__).resolve().parents[2]
_PACKAGES = ("comparator", "multi_llm_comparator", "runners")
_KINDS = frozenset({".css", ".html", ".js", ".json", ".py", ".svg", ".typed"})
_SINGLE_FILES = ("LICENSE", "app.py", "models/README.md")
_SPACE_FILES = ("README.md", "packages.txt", "requirements.txt")
_REQUIRED = ("LICENSE", "app.py", "models/README.md", "spaces/README.md", "spaces/requirements.txt")
_CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
_FILE_TIME = 315_532_800  # 1980-01-01, the earliest that every archive format can hold


@dataclass(frozen=True)
class BundledFile:
    """One file of a bundle: its path within, and its size in bytes."""

    path: str
    size: int


def build_bundle(target: Path, *, gpu: bool = False, source: Path = SOURCE) -> list[BundledFile]:
    """Make the folder that is uploaded, in the place of an earlier bundle, and list its files.

    Args:
        target: a folder that does not exist, is empty, or holds an earlier bundle.
        gpu: take the CUDA build of torch instead of the CPU's.
        source: the checkout to make it of.

    Raises:
        ConfigurationError: the target holds something else or cannot be written, or this is no
            checkout of the source.
    """
    files = {path: _contents(place, path, gpu) for path, place in _sources(source)}
    files[MANIFEST] = _manifest(files)
    target = Path(os.path.abspath(target))
    _refuse_foreign(target, source)
    try:
        _put(target, files)
    except OSError as error:
        raise ConfigurationError(
            f"The bundle cannot be written to {target}: {error.strerror or error}. "
            "Choose another folder."
        ) from error
    return [BundledFile(path, len(data)) for path, data in sorted(files.items())]


def _sources(source: Path) -> list[tuple[str, Path]]:
    """Return the path in the bundle and the file of everything that is uploaded, sorted."""
    missing = [name for name in _REQUIRED if not (source / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"A Space is made from a checkout of the source, and {source} is none: it has no "
            f"{missing[0]}. Clone the repository, install it with pip install -e . and run this "
            "command there."
        )
    found = [(name, source / name) for name in _SINGLE_FILES]
    found += [(name, source / "spaces" / name) for name in _SPACE_FILES]
    for package in _PACKAGES:
        found += [(str(path.relative_to(source)), path) for path in (source / package).rglob("*")]
    return sorted(
        (Path(path).as_posix(), place) for path, place in found if _is_wanted(Path(path), place)
    )


def _is_wanted(path: Path, place: Path) -> bool:
    if place.is_symlink() or not place.is_file():
        return False
    if any(part.startswith(".") or part in ("__pycache__", "_benchmarks") for part in path.parts):
        return False
    return path.parts[0] not in _PACKAGES or path.suffix in _KINDS


def _contents(place: Path, path: str, gpu: bool) -> bytes:
    data = place.read_bytes()
    if path == "requirements.txt" and gpu:
        lines = data.decode().splitlines(keepends=True)
        data = "".join(line for line in lines if line.strip() != _CPU_INDEX).encode()
    return data


def _manifest(files: dict[str, bytes]) -> bytes:
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    text = json.dumps({"bundle": "multi-llm-comparator", "files": hashes}, indent=1)
    return f"{text}\n".encode()


def _refuse_foreign(target: Path, source: Path) -> None:
    if target == source or target in source.parents:
        raise ConfigurationError(f"{target} holds the source itself. Choose another folder.")
    if not os.path.lexists(target):
        return
    if not target.is_dir() or target.is_symlink():
        raise ConfigurationError(f"{target} is no folder. Choose another place for the bundle.")
    found = (path for path in target.rglob("*") if path.is_file() or path.is_symlink())
    held = {path.relative_to(target).as_posix() for path in found if not _is_bytecode(path)}
    foreign = sorted(held - earlier_files(target))
    if foreign:
        raise ConfigurationError(
            f"{target} is not empty and holds what no bundle of ours put there ({foreign[0]}). "
            "Choose a new or empty folder, or move that away."
        )


def _is_bytecode(path: Path) -> bool:
    """Whether Python left it there when the bundle was tried out."""
    return path.parent.name == "__pycache__" and path.suffix == ".pyc"


def earlier_files(folder: Path) -> set[str]:
    """Return the paths that a bundle in this folder consists of; none where there is no bundle."""
    try:
        said = json.loads((folder / MANIFEST).read_text("utf-8"))
        if said["bundle"] == "multi-llm-comparator":
            return {MANIFEST, *said["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return set()


def _put(target: Path, files: dict[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(target)
    with _workshop(target) as folder:
        new, old = folder / "new", folder / "old"
        for path, data in files.items():
            _write(new / path, data)
        for made in [new, *new.rglob("*")]:
            os.utime(made, (_FILE_TIME, _FILE_TIME))
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise


def _write(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    place.chmod(0o644)


@contextlib.contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(target: Path) -> str:
    return f".{target.name}.bundle-"


def _clear_leftovers(target: Path) -> None:
    """Put back or remove what an interrupted build left beside the target."""
    for folder in target.parent.glob(f"{_prefix(target)}*"):
        old = folder / "old"
        if old.is_dir() and not target.exists():
            old.rename(target)
        shutil.rmtree(folder, ignore_errors=True)
