"""What is said of a run wherever results are given away: its name, its figures, its remarks."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace

from comparator.core.config import WITHOUT_A_LIMIT
from comparator.core.lora import Adapter, adapter_of
from comparator.core.models import InferenceResult, Thinking
from comparator.core.text import name_shown, with_controls_shown
from comparator.core.units import (
    NOT_MEASURED,
    fine_size,
    load_time,
    percent,
    seconds,
    speed,
)


def without_thoughts(results: Sequence[InferenceResult]) -> list[InferenceResult]:
    """Return results for people who want to read the answers alone."""
    return [replace(result, thinking=None) for result in results]


def title(result: InferenceResult) -> str:
    """Return a model's name, its engine, and its number where it stands twice."""
    if result.model is None:
        return name_shown(result.model_id)
    _plain, _, number = result.model_id.partition("#")
    again = f" #{number}" if number else ""
    return f"{name_shown(result.model.name)}{again} ({result.model.model_type.value})"


def remarks(result: InferenceResult) -> list[str]:
    """Return what a reader should know of a run: its notice, and what was off in it and why."""
    said = (_going_on(result), result.notice, *result.fallbacks)
    return [with_controls_shown(sentence) for sentence in said if sentence]


def _going_on(result: InferenceResult) -> str:
    """Return that an answer was gone on with; its figures would pass for those of the whole."""
    written = result.prompt.continued
    if not written:
        return ""
    return (
        f"This goes on with an answer of which {written} characters were written before: "
        "the figures are those of the rest."
    )


def thinking_figures(thinking: Thinking) -> str:
    """Return how long a thought took and how many tokens it has."""
    return f"{seconds(thinking.seconds)}, {thinking.tokens} tokens"


def figures(result: InferenceResult) -> str:
    """Return the numbers of a finished run in one line."""
    stats = result.stats
    parts = [
        f"{stats.token_count} tokens",
        speed(stats.tokens_per_second or 0),
        f"first token {seconds(stats.time_to_first_token, NOT_MEASURED)}",
        *_of_thinking(result),
        f"load {load_time(stats.load_seconds, stats.files_cached, NOT_MEASURED)}",
        f"peak {fine_size(stats.memory_usage, NOT_MEASURED)}",
    ]
    if stats.cpu_share is not None:
        parts.append(f"got {percent(stats.cpu_share)} of the processor time it asked for")
    if stats.finish_reason == "length":
        parts.append("cut at the token limit")
    return ", ".join(parts)


def _of_thinking(result: InferenceResult) -> list[str]:
    if result.thinking is None:
        return []
    began = seconds(result.stats.time_to_first_answer_token, NOT_MEASURED)
    return [f"thought for {thinking_figures(result.thinking)}", f"answer began at {began}"]


def settings_of(result: InferenceResult) -> list[str]:
    """Return the settings one a line, each with where it comes from unless that is the default.

    Of adapters the name of the file alone: where it lies is nobody's business.
    """
    shown = {
        name: [_without_folder(text) for text in value] if name == "lora" else value
        for name, value in result.config.items()
        if value not in (None, "", [], {}) or name in WITHOUT_A_LIMIT
    }
    sources = result.config_sources
    told = {name: f" ({source})" for name, source in sources.items() if source != "default"}
    return [
        f"{name} = {json.dumps(value, ensure_ascii=False)}{told.get(name, '')}"
        for name, value in shown.items()
    ]


def _without_folder(adapter: str) -> str:
    one = adapter_of(adapter)
    return Adapter(os.path.basename(one.name.rstrip("/")), one.scale).as_text()
