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
    if assignment.is_job or assignment.factories or kind not in registry.ENGINES:
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


def cause(kind: str, died: str, stage: str) -> str:
    """Say how a run died, as the beginning of a sentence."""
    when = f"while {_STAGES[stage]}" if stage in _STAGES else "before its first token"
    return f"{NAMES.get(kind, kind)} died by {died} {when}"


def again(kind: str, cause: str) -> str:
    """Say that a run was begun again for this cause."""
    return f"{cause}, so this model was loaded once more with {_safest(kind)}."


def before(kind: str, cause: str, days: int) -> str:
    """Say that a run begins with safe settings, for what happened before."""
    return (
        f"{cause} when this model ran here before, so it runs with {_safest(kind)}. The others "
        f"are tried again after {days} days, or when {NAMES.get(kind, kind)} is installed anew."
    )


def _safest(kind: str) -> str:
    is_gguf = kind == ModelType.GGUF.value
    off = "no extra buffer types, no flash attention" if is_gguf else "no oneDNN, 32-bit numbers"
    return f"the safest settings ({off}), which are slower"
