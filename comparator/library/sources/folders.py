"""Programs that keep models as plain files in folders of their own."""

from __future__ import annotations

import os
from pathlib import Path

from comparator.library.discovery import Scan, find
from comparator.library.sources.base import (
    Source,
    cache_folder,
    data_folder,
    from_environment,
    home,
    local_data_folder,
)

_LONGEST_POINTER_BYTES = 4096


class LmStudio(Source):
    """LM Studio: ``publisher/model/file.gguf``; a file in the home folder may name its place."""

    key = "lmstudio"
    title = "LM Studio"

    def places(self) -> list[Path]:
        """Return the folder it was told to use, the usual one and that of older versions."""
        usual = [home() / ".lmstudio" / "models", home() / ".cache" / "lm-studio" / "models"]
        named = _pointed_to(home() / ".lmstudio-home-pointer")
        return usual if named is None else _once([named / "models", *usual])


class Gpt4All(Source):
    """GPT4All: files side by side; ``incomplete-`` begins the name of a half-downloaded one."""

    key = "gpt4all"
    title = "GPT4All"

    def places(self) -> list[Path]:
        """Return its data folder."""
        return [local_data_folder() / "nomic.ai" / "GPT4All"]


class Jan(Source):
    """Jan: a folder for each model, in which newer versions name every file ``model.gguf``."""

    key = "jan"
    title = "Jan"

    def places(self) -> list[Path]:
        """Return the folders of its versions."""
        data = data_folder() / "Jan" / "data"
        return _once([data / "llamacpp" / "models", data / "models", home() / "jan" / "models"])

    def find_in(self, place: Path) -> Scan:
        """Return what lies there; a ``model.gguf`` is called as its folder."""
        whole = find(place, self.key)
        for entry in whole.found:
            path = Path(entry.model.path)
            if path.name.lower() == "model.gguf" and path.parent != place:
                entry.model.name = path.parent.relative_to(place).as_posix()
        return whole


class Textgen(Source):
    """text-generation-webui: files and folders below ``user_data/models``.

    It lives where it was unpacked; looked for is the home folder.
    """

    key = "textgen"
    title = "text-generation-webui"

    def places(self) -> list[Path]:
        """Return the folders of its versions, below the home folder."""
        roots = [home() / "text-generation-webui", home() / "textgen"]
        return [root / part for root in roots for part in ("user_data/models", "models")]


class LlamaCpp(Source):
    """llama.cpp: what ``-hf`` downloaded, side by side."""

    key = "llamacpp"
    title = "llama.cpp"

    def places(self) -> list[Path]:
        """Return ``LLAMA_CACHE``, or the folder used without it."""
        return [from_environment("LLAMA_CACHE") or cache_folder() / "llama.cpp"]


def _pointed_to(file: Path) -> Path | None:
    """Return the folder whose path is the content of a small file, if it is one."""
    try:
        with open(file, encoding="utf-8") as opened:
            text = opened.read(_LONGEST_POINTER_BYTES).strip()
        return Path(text) if text and os.path.isabs(text) and "\0" not in text else None
    except (OSError, ValueError):
        return None


def _once(paths: list[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))
