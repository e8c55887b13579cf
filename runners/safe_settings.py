"""What a run falls back to when compiled code died before the first token."""

from __future__ import annotations

from typing import Any

import msgspec

from comparator.core.models import ModelType
from runners import protocol, registry

NAMES = {"gguf": "llama.cpp", "pytorch": "PyTorch"}
_STAGES = {"start": "it started", "load": "it loaded", "prompt": "it read the prompt"}


def of(assignment: protocol.Assignment) -> protocol.Assignment | None:
    """Return a run's assignment with the safest settings; None where there are none safer.

    Work on files and inferencers of one's own have no such settings.
    """
    kind = assignment.kind
    if assignment.job or assignment.factories or kind not in registry.ENGINES:
        return None
    settings = assignment.verdict.get("settings") or {}
    safest = safest_of(kind, settings)
    if safest is None or safest == settings:
        return None
    return msgspec.structs.replace(assignment, verdict={**assignment.verdict, "settings": safest})


def safest_of(kind: str, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return an engine's safest settings, with the threads of others; None where it has none."""
    levels = registry.engine(kind).trial
    if not levels:
        return None
    return {**settings, **levels[-1], "threads": settings.get("threads")}


def sentence(kind: str, died: str, stage: str) -> str:
    """Say that a run was begun again, and why."""
    at = _STAGES.get(stage, "its first token")
    when = f"while {at}" if stage in _STAGES else f"before {at}"
    return (
        f"{NAMES.get(kind, kind)} died by {died} {when}, so this model was loaded once more with "
        f"the safest settings ({words(kind)}), which are slower."
    )


def words(kind: str) -> str:
    """Name what an engine's safest settings leave out."""
    if kind == ModelType.GGUF.value:
        return "no extra buffer types, no flash attention"
    return "no oneDNN, numbers of 32 bits"
