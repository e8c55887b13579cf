"""A configuration: a model by its content, its settings, and how many answers it writes at once.

Adapters are of the content: one under two names is one, another one in its place is another. Suites
resume by it, and ratings are of it: the same model at two settings are two, one model under two
names is one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from comparator.core.exceptions import MultiLLMError
from comparator.core.lora import Adapter, adapter_of
from comparator.core.models import ModelInfo, ModelType
from comparator.library.duplicates import parts_of
from comparator.library.lookup import AdapterLookUp

# What changes neither what is answered nor how fast: the seed is drawn anew for each run.
NOT_OF_IT = ("seed", "low_cpu_mem_usage")
DigestOf = Callable[[Path], "str | None"]


def configuration_of(
    model: Mapping[str, Any],
    config: Mapping[str, Any],
    digest_of: DigestOf,
    batch: str | int = 1,
    adapters: Iterable[str] | None = None,
) -> str:
    """Return the name of a configuration: a SHA-256 in hexadecimal digits.

    Args:
        model: as a record's ``model``.
        config: as a record's ``config``.
        digest_of: tells the SHA-256 of a file, None where it cannot be read (``Digests.of``).
        batch: answers decoded at once, as asked for; 1 is exact.
        adapters: as ``config["lora"]`` with paths, where that may have names of the library
            (``Slot.adapters``, ``adapters_of``); None takes it as it stands.
    """
    settings = {name: value for name, value in config.items() if name not in NOT_OF_IT}
    lora = list(config.get("lora") or () if adapters is None else adapters)
    if lora:
        kind = str(model["model_type"])
        settings["lora"] = [_adapter_content(adapter_of(text), kind, digest_of) for text in lora]
    told: dict[str, Any] = {"model": content_of(model, digest_of), "config": settings}
    if batch != 1:
        told["batch"] = batch
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def adapters_of(config: Mapping[str, Any], look_up: AdapterLookUp | None) -> list[str]:
    """Return the adapters of settings with their paths; one that is not found stays as it is."""
    told = [adapter_of(str(text)) for text in config.get("lora") or ()]
    return [Adapter(_place_of(one.name, look_up), one.scale).as_text() for one in told]


def content_of(model: Mapping[str, Any], digest_of: DigestOf) -> list[list[str | int]]:
    """Return what a model is by content: the names and digests of its files.

    Where a file is gone, or cannot be read, its name and size have to do.
    """
    kind, size = ModelType(model["model_type"]), int(model.get("size") or 0)
    digests = _digests_of(str(model.get("path") or ""), kind, digest_of)
    if not digests:
        return [[kind.value, str(model["name"]), size]]
    return [[kind.value, name, digest] for name, digest in digests.items()]


def _adapter_content(adapter: Adapter, kind: str, digest_of: DigestOf) -> list[Any]:
    """Return an adapter as files and scale; one that cannot be read by its name."""
    place = os.path.expanduser(adapter.name)
    digests = _digests_of(place, ModelType(kind), digest_of)
    return [sorted(digests.items()) or os.path.basename(place.rstrip("/")), adapter.scale]


def _digests_of(place: str, kind: ModelType, digest_of: DigestOf) -> dict[str, str]:
    """Return the digests of a model's files by name; empty where one of them cannot be read."""
    found = ModelInfo("", "", place, kind, 0)
    parts = dict(parts_of(found)) if place and os.path.exists(place) else {}
    digests = {name: digest_of(file) or "" for name, file in sorted(parts.items())}
    return digests if all(digests.values()) else {}


def _place_of(name: str, look_up: AdapterLookUp | None) -> str:
    try:
        return look_up(name) if look_up else name
    except MultiLLMError:  # it has left the library: its name has to do
        return name
