"""What a record tells, read with care: it may be an older one's, a stranger's, or half a run's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]


def value_of(record: Record, *path: str) -> Any:
    """Return what stands at a place of a record; None where there is none."""
    found: Any = record
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def text_of(record: Record, *path: str) -> str:
    """Return the text at a place; empty where there is none."""
    found = value_of(record, *path)
    return found if isinstance(found, str) else ""


def number_of(record: Record, *path: str) -> float | None:
    """Return the number at a place that is none below 0; None where there is none."""
    found = value_of(record, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def count_of(record: Record, *path: str) -> int | None:
    """Return the whole number at a place; None where there is none."""
    found = number_of(record, *path)
    return None if found is None else int(found)


def list_of(record: Record, *path: str) -> list[Any]:
    """Return the list at a place; empty where there is none."""
    found = value_of(record, *path)
    return list(found) if isinstance(found, (list, tuple)) else []


def texts_of(record: Record, *path: str) -> list[str]:
    """Return the texts of the list at a place."""
    return [one for one in list_of(record, *path) if isinstance(one, str)]


def name_of(record: Record) -> str:
    """Return what a person calls the model."""
    return text_of(record, "model", "name") or text_of(record, "model", "id")


def kind_of(record: Record) -> str:
    """Return which engine runs the model, as its record says (``gguf``)."""
    return text_of(record, "model", "model_type")


def source_of(record: Record, setting: str) -> str:
    """Return where a setting comes from (``given``, ``maker``, ``drawn``, ``default``)."""
    return text_of(record, "config_sources", setting) or "default"


def span_of(record: Record) -> tuple[float, float] | None:
    """Return begin and end of a run, in seconds since the epoch; None where it never began."""
    begin, end = (number_of(record, "stats", name) for name in ("start_time", "end_time"))
    began = value_of(record, "stats", "load_seconds") is not None or value_of(record, "receipt")
    if begin is None or end is None or not began:
        return None
    return begin, max(begin, end)


def room_of(record: Record) -> int | None:
    """Return how many tokens an answer might have at the most; None where that is not known."""
    context = count_of(record, "engine", "context_length")
    prompt = count_of(record, "stats", "prompt_tokens")
    return None if not context or prompt is None else max(0, context - prompt)


def end_of(record: Record) -> str:
    """Return how a run ended.

    ``stop``, ``cut_tokens`` (by max_tokens), ``cut_context`` (the context was full), ``stopped``
    by a person, ``failed``, or empty where it goes on.
    """
    reason = text_of(record, "stats", "finish_reason")
    if reason != "length":
        return {"cancelled": "stopped", "error": "failed"}.get(reason, reason)
    limit, room = count_of(record, "config", "max_tokens"), room_of(record)
    tokens = count_of(record, "stats", "token_count") or 0
    is_full = room is not None and tokens >= room and (limit is None or room < limit)
    return "cut_context" if is_full or limit is None else "cut_tokens"
