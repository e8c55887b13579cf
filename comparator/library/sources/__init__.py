"""Where models lie: folders of the user's, and those of other programs, which are only read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from comparator.library.discovery import Scan, find, in_order
from comparator.library.duplicates import merged
from comparator.library.sources.base import Source, add
from comparator.library.sources.folders import Gpt4All, Jan, LlamaCpp, LmStudio, Textgen
from comparator.library.sources.huggingface import HuggingFace
from comparator.library.sources.modelscope import ModelScope
from comparator.library.sources.ollama import Ollama

SOURCES: dict[str, type[Source]] = {
    kind.key: kind
    for kind in (HuggingFace, Ollama, ModelScope, LmStudio, Gpt4All, Jan, Textgen, LlamaCpp)
}


def title_of(key: str) -> str:
    """Return a source's name for people."""
    return SOURCES[key].title if key in SOURCES else key


def find_all(folders: Sequence[Path], keys: Collection[str]) -> Scan:
    """Return the one library of folders and of the sources named, each model once.

    A model that lies in several places is known by the first: folders come first, in their
    order, then the sources in that of the table.
    """
    whole = Scan()
    for part in _parts(folders, keys):
        add(whole, part)
    whole.models = in_order(merged(whole.found))
    return whole


def _parts(folders: Sequence[Path], keys: Collection[str]) -> Iterable[Scan]:
    for folder in folders:
        yield find(folder)
    for key, kind in SOURCES.items():
        if key in keys:
            yield kind().find()
