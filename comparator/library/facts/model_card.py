"""What the files for people beside a model say: the front matter of README.md, and LICENSE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.library.facts.values import text_of

LONGEST_FRONT_MATTER_BYTES = 64 * 1024
_FENCE = "---"
_LICENCE_TEXTS = {
    "Apache License": "apache-2.0",
    "MIT License": "mit",
    "GNU GENERAL PUBLIC LICENSE": "gpl",
    "LLAMA 3": "llama3",
    "Gemma Terms of Use": "gemma",
}


@dataclass(frozen=True)
class ModelCard:
    """What a card says; None and nothing where it does not."""

    licence: str | None = None
    base_model: str | None = None
    tags: tuple[str, ...] = ()


def read_card(folder: Path) -> ModelCard:
    """Return what the files beside a model say; nothing where they cannot be read."""
    entries = _front_matter(_begin(folder / "README.md"))
    base, tags = entries.get("base_model"), entries.get("tags")
    licence = text_of(entries.get("license_name")) or text_of(entries.get("license"))
    return ModelCard(
        licence=licence or _licence_by_text(folder),
        base_model=text_of(base[0] if isinstance(base, list) and base else base),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
    )


def _front_matter(text: str) -> dict[Any, Any]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FENCE:
        return {}
    end = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == _FENCE), None)
    if end is None or ("&" in (front := "\n".join(lines[1:end])) and "*" in front):
        return {}  # cut off, or with references, by which a few lines could become gigabytes
    import yaml

    try:
        entries = yaml.safe_load(front)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _licence_by_text(folder: Path) -> str | None:
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"):
        text = _begin(folder / name)[:1024]
        if text:
            known = (label for words, label in _LICENCE_TEXTS.items() if words in text)
            return next(known, name)
    return None


def _begin(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with open(path, "rb") as file:
            return file.read(LONGEST_FRONT_MATTER_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
