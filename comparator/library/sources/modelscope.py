"""The cache of ModelScope.

Its library has kept models in several ways, all below ``MODELSCOPE_CACHE`` or
``~/.cache/modelscope``: ``hub/models/OWNER/NAME`` (``models/OWNER/NAME`` where the variable is
set), before that ``hub/OWNER/NAME``, and since its package ``modelscope-hub``
``models/OWNER--NAME/snapshots/REVISION``. A dot of a name is written ``___`` in the first two.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from comparator.core.models import ModelType
from comparator.library.discovery import Scan, Skipped, find
from comparator.library.sources.base import Source, add, from_environment, home

_DOT = "___"
_HALF = "._____temp"
# What lies beside the owners of models and is none.
_NO_OWNERS = frozenset(
    {"hub", "models", "datasets", "studios", "mcps", "skills", "agent", "temp", "credentials"}
)


class ModelScope(Source):
    """The cache that ``modelscope download`` and its Python library fill."""

    key = "modelscope"
    title = "ModelScope"

    def places(self) -> list[Path]:
        """Return ``MODELSCOPE_CACHE``, or the folder used without it."""
        return [from_environment("MODELSCOPE_CACHE") or home() / ".cache" / "modelscope"]

    def find_in(self, place: Path) -> Scan:
        """Return the models of every layout, each called as people write its name."""
        whole = Scan()
        for repository, name in _repositories(place):
            try:
                add(whole, _models_of(repository, name, self.key))
            except OSError as error:
                reason = f"Cannot be read: {error.strerror or error}."
                whole.skipped.append(Skipped(str(repository), reason))
        return whole


def _repositories(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield every folder of a model, and its name with its owner's."""
    for top in (root, root / "hub"):
        for place in (top / "models", top):
            for folder in _folders(place):
                if folder.name in _NO_OWNERS or folder.name.startswith("."):
                    continue
                if "--" in folder.name and (folder / "snapshots").is_dir():
                    name = folder.name.replace("--", "/", 1)
                    yield from ((commit, name) for commit in _folders(folder / "snapshots"))
                    continue
                for inner in _folders(folder):
                    yield inner, f"{folder.name}/{inner.name}".replace(_DOT, ".")


def _folders(place: Path) -> list[Path]:
    """Return the folders in a folder; none where it is not there or cannot be read."""
    found = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # a link that leads round
                if entry.is_dir():
                    found.append(Path(entry.path))
    return sorted(found)


def _models_of(folder: Path, name: str, source: str) -> Scan:
    if folder.name.startswith("."):
        return _half_downloaded(folder)
    part = find(folder, source)
    for entry in part.found:
        model = entry.model
        if model.model_type is ModelType.PYTORCH and os.path.isdir(model.path):
            inside = os.path.relpath(model.path, folder)
            model.name = name if inside == "." else f"{name}/{inside}"
    if (folder / _HALF).is_dir() and any((folder / _HALF).iterdir()):
        part.skipped += _half_downloaded(folder / _HALF).skipped
    return part


def _half_downloaded(folder: Path) -> Scan:
    whole = Scan()
    if folder.name == _HALF:
        reason = "Half downloaded. Download it again with ModelScope to finish it."
        whole.skipped.append(Skipped(str(folder), reason))
    return whole
