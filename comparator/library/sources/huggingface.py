"""The cache of the Hugging Face Hub.

``models--ORG--NAME`` holds ``refs`` (which commit a name means), ``snapshots/COMMIT`` (the files
of a commit, by links) and ``blobs`` (their bytes):
https://huggingface.co/docs/huggingface_hub/guides/manage-cache. It is walked here and not by
``scan_cache_dir``, which passes over a whole repository for one file that is missing from it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from comparator.core.models import ModelType
from comparator.library.discovery import Scan, Skipped, find
from comparator.library.sources.base import Source, add, from_environment, home

_PREFIX = "models--"
_LONGEST_REF_BYTES = 200
_COMMIT = re.compile(r"[0-9a-f]{40}$")


class HuggingFace(Source):
    """The cache that huggingface_hub, transformers and llama.cpp download into."""

    key = "huggingface"
    title = "Hugging Face cache"

    def places(self) -> list[Path]:
        """Return the cache by the rules and variables of ``huggingface_hub.constants``."""
        named = from_environment("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
        if named:
            return [named]
        root = from_environment("HF_HOME")
        if root is None:
            caches = from_environment("XDG_CACHE_HOME") or home() / ".cache"
            root = caches / "huggingface"
        return [root / "hub"]

    def find_in(self, place: Path) -> Scan:
        """Return the models of every commit of every repository."""
        whole = Scan()
        for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
            if not entry.name.startswith(_PREFIX):
                continue
            try:
                if entry.is_dir():
                    add(whole, self._repository(Path(entry.path)))
            except OSError as error:
                reason = f"Cannot be read: {error.strerror or error}."
                whole.skipped.append(Skipped(entry.path, reason))
        return whole

    def _repository(self, folder: Path) -> Scan:
        whole = Scan()
        name = folder.name[len(_PREFIX) :].replace("--", "/")
        main = _commit_of(folder / "refs" / "main")
        for commit in _snapshots(folder, main):
            part = find(folder / "snapshots" / commit, self.key)
            is_only = main is None or commit == main
            _rename(part, folder / "snapshots" / commit, name, "" if is_only else commit[:8])
            add(whole, part)
        half = _half_downloaded(folder / "blobs")
        if half:
            reason = f"{name}: {half} file(s) half downloaded. Download it again to finish them."
            whole.skipped.append(Skipped(str(folder), reason))
        return whole


def _rename(part: Scan, snapshot: Path, repository: str, commit: str) -> None:
    """Call a transformers folder as its repository, and what is of an older commit after it."""
    for entry in part.found:
        model = entry.model
        if model.model_type is ModelType.PYTORCH and os.path.isdir(model.path):
            inside = os.path.relpath(model.path, snapshot)
            model.name = repository if inside == "." else f"{repository}/{inside}"
        if commit:
            model.name = f"{model.name}@{commit}"


def _snapshots(folder: Path, main: str | None) -> list[str]:
    """Return the commits that are there, that of the branch ``main`` first, then the newest."""
    try:
        entries = [entry for entry in os.scandir(folder / "snapshots") if entry.is_dir()]
    except FileNotFoundError:
        return []
    ages = {entry.name: entry.stat().st_mtime for entry in entries}
    return sorted(ages, key=lambda name: (name != main, -ages[name], name))


def _commit_of(ref: Path) -> str | None:
    try:
        with open(ref, encoding="utf-8") as file:
            text = file.read(_LONGEST_REF_BYTES).strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if _COMMIT.match(text) else None


def _half_downloaded(blobs: Path) -> int:
    try:
        return sum(entry.name.endswith(".incomplete") for entry in os.scandir(blobs))
    except FileNotFoundError:
        return 0
