"""Who made a GGUF file: by its header, its quantisation's name, and where it lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comparator.core.text import with_controls_shown
from comparator.formats.quantisation_names import prefix_of
from comparator.library.facts.values import text_of

_BY_PREFIX = {"UD": "unsloth", "i1": "mradermacher"}
# Accounts that publish quantisations of others' models, as they write themselves.
_KNOWN = {
    name.lower(): name
    for name in (
        "unsloth", "mradermacher", "bartowski", "lmstudio-community", "ggml-org", "TheBloke",
        "QuantFactory", "MaziyarPanahi", "ubergarm", "Mungert", "second-state", "DevQuasar",
        "gaianet", "tensorblock", "Intel", "LiteLLMs", "NikolayKozloff", "legraphista",
        "dranger003", "city96", "calcuis",
    )
}  # fmt: skip
_HUB_FOLDER = re.compile(r"^models--(?P<owner>[^-].*?)--.+")
_KEEP_OWNERS = (".lmstudio", "lm-studio", "modelscope")
_LONGEST_NAME = 40


def maker_of(metadata: Mapping[str, Any], label: str | None, path: Path) -> str | None:
    """Return who made a file, as they write themselves; None where nothing says it.

    Args:
        metadata: of its header.
        label: its quantisation's name; a sign before the recipe is its maker's.
        path: where it lies: caches and some programs have a folder for each owner.
    """
    said = text_of(metadata.get("general.quantized_by"))
    if said:
        plain = with_controls_shown(said).replace("\n", " ")[:_LONGEST_NAME]
        return _KNOWN.get(plain.lower(), plain)
    sign = prefix_of(label) if label else None
    if sign:
        return _BY_PREFIX.get(sign)
    return _by_traces(metadata) or _by_place(path)


def _by_traces(metadata: Mapping[str, Any]) -> str | None:
    """Look for what makers' programs leave: entries under their name, and files of theirs."""
    if any(key.startswith("mradermacher.") for key in metadata):
        return "mradermacher"
    address = text_of(metadata.get("general.repo_url")) or ""
    owner = _KNOWN.get(address.rstrip("/").rsplit("/", 1)[-1].lower()) if address else None
    matrix = (text_of(metadata.get("quantize.imatrix.file")) or "").lower()
    return owner or ("unsloth" if "unsloth" in matrix else None)


def _by_place(path: Path) -> str | None:
    owner = _owner(path.parts)
    if owner:
        return _KNOWN.get(owner.lower(), owner)
    for part in reversed(path.parts[-6:]):
        hub = _HUB_FOLDER.match(part)
        if hub:
            return _KNOWN.get(hub["owner"].lower(), hub["owner"])
        name = part.lower()
        known = _KNOWN.get(name) or _KNOWN.get(name.partition("_")[0])
        if known:
            return known
    return None


def _owner(parts: tuple[str, ...]) -> str | None:
    """Return whose folder it is in programs that keep ``models/OWNER/NAME``."""
    for number, part in enumerate(parts[:-4]):
        if part in _KEEP_OWNERS:
            behind = [name for name in parts[number + 1 : -1] if name not in ("hub", "models")]
            return behind[0] if len(behind) > 1 and "--" not in behind[0] else None
    return None
