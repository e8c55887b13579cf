"""The store of Ollama.

``manifests/REGISTRY/NAMESPACE/NAME/TAG`` is JSON like the manifests of container registries
(https://github.com/opencontainers/image-spec/blob/main/manifest.md); its layers lie in ``blobs``
by their SHA-256. The layer of the type ``…image.model`` is a GGUF file without a suffix, and so is
one of the type ``…image.adapter``, a LoRA adapter that Ollama puts on the model of that manifest.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comparator.core.location import Location
from comparator.core.models import ModelInfo, ModelType
from comparator.core.text import without_surrogates
from comparator.formats.adapter_files import is_gguf_adapter
from comparator.formats.model_files import is_gguf
from comparator.library.discovery import Scan, Skipped
from comparator.library.duplicates import PlacedModel, key_of
from comparator.library.sources.base import Source, from_environment, home

_KIND = "application/vnd.ollama.image."
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_PARTIAL = re.compile(r"(sha256-[0-9a-f]{64})-partial")
_LEVELS = 4  # registry, namespace, name, tag
_LARGEST_MANIFEST_BYTES = 1024 * 1024
_LARGEST_LAYER_BYTES = 256 * 1024
_AGAIN = "Pull it again."
_BARE = " (without its adapter)"
_IS_ADAPTER = "A LoRA adapter: the setting lora puts it on its base model, by this name."
_NO_ADAPTER = (
    "An adapter that is missing, or no GGUF file of llama.cpp's; its base model is offered alone. "
    + _AGAIN
)


class _Unusable(Exception):
    """A manifest does not lead to a model; says why."""


class Ollama(Source):
    """Ollama's models, each under its name and tag."""

    key = "ollama"
    title = "Ollama"

    def places(self) -> list[Path]:
        """Return ``OLLAMA_MODELS``, or the user's folder and that of the Linux service."""
        named = from_environment("OLLAMA_MODELS")
        if named:
            return [named]
        return [home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]

    def find_in(self, place: Path) -> Scan:
        """Return the model of every manifest; one that leads nowhere is passed over.

        So are adapters, which have their model's name. Their base is a model of its own only where
        no other manifest has it.
        """
        whole, blobs = Scan(), place / "blobs"
        bases: dict[str, PlacedModel] = {}
        for manifest, parts in _manifests(place / "manifests", (), whole.skipped):
            try:
                layers, name = _layers(manifest), _name(parts)
                adapters = _adapters(blobs, layers, name)
                model = self._model(blobs, layers, f"{name}{_BARE}" if adapters else name)
                whole.skipped += adapters
                if adapters:
                    bases.setdefault(model.model.path, model)
                else:
                    whole.found.append(model)
            except _Unusable as error:
                whole.skipped.append(Skipped(str(manifest), str(error)))
            except OSError as error:
                reason = f"Cannot be read: {error.strerror or error}."
                whole.skipped.append(Skipped(str(manifest), reason))
        alone = {placed.model.path for placed in whole.found}
        whole.found += [base for path, base in bases.items() if path not in alone]
        whole.skipped += _half_downloaded(blobs)
        return whole

    def _model(self, blobs: Path, layers: dict[str, list[str]], name: str) -> PlacedModel:
        blob, status = _weights(blobs, layers)
        settings, size = _settings(blobs, layers), status.st_size
        location = Location(self.key)
        model = ModelInfo("", name, str(blob), ModelType.GGUF, size, settings, location)
        return PlacedModel(model, key_of({"": status}))


def _manifests(
    folder: Path, parts: tuple[str, ...], skipped: list[Skipped]
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield every manifest with the four parts of its name."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        skipped.append(Skipped(str(folder), f"Cannot be read: {error.strerror or error}."))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path, name = Path(entry.path), (*parts, entry.name)
        if len(name) < _LEVELS:
            if os.path.isdir(path):
                yield from _manifests(path, name, skipped)
        else:
            yield path, name


def _name(parts: tuple[str, ...]) -> str:
    """Return a model's name as Ollama shows it: what is the default is left out."""
    registry, namespace, name, tag = parts
    if registry != "registry.ollama.ai":
        return f"{registry}/{namespace}/{name}:{tag}"
    return f"{name}:{tag}" if namespace == "library" else f"{namespace}/{name}:{tag}"


def _layers(manifest: Path) -> dict[str, list[str]]:
    """Return the digests of a manifest's layers by what they are; all as it says them."""
    if not stat.S_ISREG(manifest.stat().st_mode):
        raise _Unusable("Ollama's manifest is not a regular file.")
    text = _read(manifest, _LARGEST_MANIFEST_BYTES)
    if text is None:
        raise _Unusable("Ollama's manifest is larger than any. " + _AGAIN)
    try:
        entries = json.loads(text)["layers"]
        layers: dict[str, list[str]] = {}
        for entry in entries:
            kind = str(entry["mediaType"]).removeprefix(_KIND)
            layers.setdefault(kind, []).append(str(entry["digest"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _Unusable("Ollama's manifest is damaged (no JSON with layers). " + _AGAIN) from None
    return layers


def _weights(blobs: Path, layers: dict[str, list[str]]) -> tuple[Path, os.stat_result]:
    digests = layers.get("model", [])
    if not digests:
        raise _Unusable(
            "It has no GGUF layer: its weights are in another format, or it runs in the cloud."
        )
    if len(digests) > 1:
        raise _Unusable("Its weights are in several files, which llama.cpp cannot join here.")
    blob = _blob(blobs, digests[0])
    try:
        status = blob.stat()
    except FileNotFoundError:
        raise _Unusable(f"Its weights are missing ({blob.name[:19]}…). {_AGAIN}") from None
    if not is_gguf(blob):
        raise _Unusable("Its weights are no GGUF file. " + _AGAIN)
    return blob, status


def _adapters(blobs: Path, layers: dict[str, list[str]], name: str) -> list[Skipped]:
    """Return the adapters of a manifest, to be found by the name of their model."""
    paths = [_blob(blobs, digest) for digest in layers.get("adapter", [])]
    return [
        Skipped(str(path), _IS_ADAPTER if is_gguf_adapter(path) else _NO_ADAPTER, name)
        for path in paths
    ]


def _blob(blobs: Path, digest: str) -> Path:
    """Return a blob's path; a digest is 64 digits, so that none can lead elsewhere."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise _Unusable("Ollama's manifest names a blob that cannot be one. " + _AGAIN)
    return blobs / f"sha256-{match[1]}"


def _settings(blobs: Path, layers: dict[str, list[str]]) -> dict[str, Any]:
    """Return the prompt template, system prompt and parameters that come with a model."""
    template, system = _text(blobs, layers, "template"), _text(blobs, layers, "system")
    found: dict[str, Any] = {"template": template, "system": system}
    try:
        parameters = json.loads(_text(blobs, layers, "params") or "null")
    except (ValueError, RecursionError):
        parameters = None
    found["parameters"] = parameters if isinstance(parameters, dict) else None
    return {name: value for name, value in found.items() if value}


def _text(blobs: Path, layers: dict[str, list[str]], kind: str) -> str | None:
    """Return a small layer's text; None where there is none that can be read."""
    try:
        blob = _blob(blobs, layers[kind][0])
        if not stat.S_ISREG(blob.stat().st_mode):
            return None
        return _read(blob, _LARGEST_LAYER_BYTES)
    except (KeyError, OSError, _Unusable):
        return None


def _read(path: Path, most_bytes: int) -> str | None:
    """Return a file's text, or None where it is longer than it may be."""
    with open(path, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        return None
    return without_surrogates(content.decode("utf-8", "replace"))


def _half_downloaded(blobs: Path) -> list[Skipped]:
    try:
        names = [entry.name for entry in os.scandir(blobs)]
    except OSError:
        return []
    halves = {match[1] for name in names if (match := _PARTIAL.match(name))}
    reason = "Half downloaded. Pull the model again to finish it."
    return [Skipped(str(blobs / name), reason) for name in sorted(halves)]
