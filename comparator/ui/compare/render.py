"""From results to what the board shows: plain values, pure functions, no Gradio.

A view is a dictionary that the browser's board (``static/board.js``) draws. What it tells are keys
and numbers, which the browser words in the reader's language (``static/figures.js``); sentences
that an engine or the service has made stay as they are.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comparator.core.models import InferenceResult, RunState
from comparator.core.text import with_controls_shown, without_paths
from comparator.core.units import long_time
from comparator.ui.worded import said, said_label, sentence

Turn = dict[str, str]


@dataclass(frozen=True)
class Shown:
    """What a column shows beside how its run stands; control characters are shown in all of it.

    Attributes:
        text: its answer, with what it continues before it.
        thought: what it thought.
        turns: the earlier turns of its own history, each a question and an answer.
        question: what it is asked now.
    """

    text: str = ""
    thought: str = ""
    turns: Sequence[Turn] = ()
    question: str = ""


def column(result: InferenceResult, shown: Shown, label: str, position: int = 0) -> dict[str, Any]:
    """Return what one column shows.

    Args:
        result: how its run stands.
        shown: its texts.
        label: engine, quantisation and size of its model in words.
        position: its place in line; 0 when it does not wait.
    """
    model = result.model
    return {
        "name": with_controls_shown(model.name) if model else result.model_id,
        "kind": label,
        "state": result.state.value,
        "position": position if result.state is RunState.WAITING else 0,
        "share": result.progress,
        "prompt_tokens": result.stats.prompt_tokens,
        "error": with_controls_shown(result.error) if result.error else "",
        "notice": with_controls_shown(result.notice or ""),
        "fallbacks": [with_controls_shown(sentence) for sentence in result.fallbacks],
        "numbers": numbers(result),
        "cut": result.stats.finish_reason == "length",
        "turns": shown.turns,
        "question": shown.question,
        "text": shown.text,
        "thought": shown.thought,
        "thinking": thinking(result),
        "details": details(result) if result.is_complete else [],
    }


def thinking(result: InferenceResult) -> dict[str, float] | None:
    """Return the figures of what a model thought, or thinks; None where it did not."""
    told = result.thinking
    return {"tokens": told.tokens, "seconds": told.seconds} if told else None


def refused(sentence: str) -> dict[str, Any]:
    """Return the view of a question that was not taken."""
    return {"run": 0, "running": False, "note": "", "refused": sentence, "columns": []}


def advice(sentences: Iterable[str]) -> str:
    """Return what makers advise, as HTML; empty sentences are left out."""
    told = (f'<p class="notice">{sentence(text)}</p>' for text in sentences if text)
    return "".join(told)


def numbers(result: InferenceResult) -> list[list[Any]]:
    """Return the figures of a run as pairs of a key and a number: seconds, bytes, tokens."""
    stats = result.stats
    began = stats.time_to_first_answer_token if result.thinking else None
    pairs: list[list[Any]] = [
        ["first_token", stats.time_to_first_token],
        ["answer_began", began],
        ["speed", stats.tokens_per_second],
        ["tokens", stats.token_count or None],
        ["peak_memory", stats.memory_usage or None],
        ["load", stats.load_seconds],
        ["device_memory", stats.device_memory_usage or None],
    ]
    if stats.token_count < 2:  # there is no time between tokens
        pairs = [pair for pair in pairs if pair[0] != "speed"]
    return [pair for pair in pairs if pair[1] is not None]


def details(result: InferenceResult) -> list[list[Any]]:
    """Return what is folded away when a run is over: pairs of a key and what it tells."""
    facts: list[list[Any]] = [
        ["ran_on", _ran_on(result)],
        ["load", _load(result)],
        ["processor", _processor(result)],
        ["prompt", with_controls_shown(result.prompt.rendered)],
        ["template", result.prompt.template_source],
        ["settings", _settings(result.config, result.config_sources)],
        ["log", with_controls_shown(_log_of(result))],
    ]
    if not result.prompt.rendered:  # it never came to a prompt
        facts = [fact for fact in facts if fact[0] != "template"]
    return [fact for fact in facts if fact[1]]


def starter_note(step: str, share: float | None, seconds_left: float | None = None) -> str:
    """Return the starter set's progress as HTML, with the time that it will still take."""
    if share is None:
        return f'<p class="starter-step" role="status">{_escaped(step)}</p>'
    left = "" if seconds_left is None else said("page.left", time=long_time(seconds_left))
    return (
        f'<p class="starter-step" role="status">{_escaped(step)}{left}</p>'
        f'<progress {said_label("page.starter_progress")} max="1" '
        f'value="{min(1.0, max(0.0, share)):.3f}"></progress>'
    )


def _ran_on(result: InferenceResult) -> dict[str, Any]:
    """Return what answered: its ``name``, ``device``, ``dtype``, ``threads`` and so on."""
    names = ("name", "device", "dtype", "threads", "context_length", "way")
    told = {name: result.engine.get(name) for name in names}
    return {
        name: with_controls_shown(value) if isinstance(value, str) else value
        for name, value in told.items()
        if value
    }


def _load(result: InferenceResult) -> list[float]:
    """Return the load beside how its files were; empty where nobody tells that."""
    stats = result.stats
    known = stats.files_cached is not None and stats.load_seconds is not None
    return [stats.load_seconds, stats.files_cached] if known else []  # type: ignore[list-item]


def _processor(result: InferenceResult) -> dict[str, float]:
    """Return by stage what a run got of the processor time that it asked for, 0 to 1."""
    return {stage: share for stage, share in result.stats.cpu_shares.items() if share}


def _log_of(result: InferenceResult) -> str:
    """Return what the child printed, as any visitor may see it: without where files lie."""
    folder = os.path.dirname(result.model.path) if result.model else ""
    return without_paths(result.log_tail, folder)


def _settings(config: dict[str, Any], sources: Mapping[str, str]) -> list[list[str]]:
    """Return each setting's name, its value as JSON, and where it comes from."""
    shown = {
        name: value
        for name, value in config.items()
        if value not in (None, "", [], {}) or name in ("max_tokens", "n_ctx")
    }
    return [
        [name, with_controls_shown(json.dumps(value, ensure_ascii=False)), sources.get(name, "")]
        for name, value in shown.items()
    ]


def _escaped(text: str) -> str:
    return html.escape(with_controls_shown(text))
