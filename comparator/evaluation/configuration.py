"""A configuration: a model by its content, its settings, and how many answers it writes at once.

Suites resume by it, and ratings are of it: the same model at two settings are two, one model under
two names is one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from comparator.core.models import ModelInfo, ModelType
from comparator.library.duplicates import parts_of

# What changes neither what is answered nor how fast: the seed is drawn anew for each run.
NOT_OF_IT = ("seed", "low_cpu_mem_usage")
DigestOf = Callable[[Path], "str | None"]


def configuration_of(
    model: Mapping[str, Any], config: Mapping[str, Any], digest_of: DigestOf, batch: str | int = 1
) -> str:
    """Return the name of a configuration: a SHA-256 in hexadecimal digits.

    Args:
        model: as a record's ``model``.
        config: as a record's ``config``.
        digest_of: tells the SHA-256 of a file, None where it cannot be read (``Digests.of``).
        batch: answers decoded at once, as asked for; 1 is exact.
    """
    settings = {name: value for name, value in config.items() if name not in NOT_OF_IT}
    told: dict[str, Any] = {"model": content_of(model, digest_of), "config": settings}
    if batch != 1:
        told["batch"] = batch
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def content_of(model: Mapping[str, Any], digest_of: DigestOf) -> list[list[str | int]]:
    """Return what a model is by content: the names and digests of its files.

    Where a file is gone, or cannot be read, its name and size have to do.
    """
    kind, size = ModelType(model["model_type"]), int(model.get("size") or 0)
    found = ModelInfo("", str(model["name"]), str(model.get("path") or ""), kind, size)
    parts = dict(parts_of(found)) if found.path and Path(found.path).exists() else {}
    digests = {name: digest_of(file) for name, file in sorted(parts.items())}
    if not digests or not all(digests.values()):
        return [[kind.value, found.name, size]]
    return [[kind.value, name, str(digest)] for name, digest in digests.items()]
