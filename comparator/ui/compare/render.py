"""From results to what the board shows: plain values, pure functions, no Gradio.

A view is a dictionary that the browser's board (``static/board.js``) draws.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any

from comparator.comparison.exports import thinking_figures
from comparator.core.models import InferenceResult, RunState
from comparator.core.text import with_controls_shown
from comparator.core.units import load_time, long_time, percent, seconds, size, speed
from comparator.ui.worded import said, said_label

TEMPLATES = {
    "gguf": "chat template of the GGUF file",
    "tokenizer": "chat template of the tokenizer",
    "fallback": "general chat template, since the model has none",
    "none": "plain completion, no chat template",
}


def column(
    result: InferenceResult, text: str, label: str, position: int = 0, thought: str = ""
) -> dict[str, Any]:
    """Return what one column shows.

    Args:
        result: how its run stands.
        text: its answer, with control characters shown.
        label: engine, quantisation and size of its model in words.
        position: its place in line; 0 when it does not wait.
        thought: what it thought, with control characters shown.
    """
    model, has_answer = result.model, bool(text.strip())
    return {
        "name": with_controls_shown(model.name) if model else result.model_id,
        "kind": label,
        "state": result.state.value,
        "words": "thinking" if is_thinking(result, has_answer) else state_words(result, position),
        "share": result.progress,
        "error": with_controls_shown(result.error) if result.error else "",
        "notice": with_controls_shown(result.notice or ""),
        "fallbacks": [with_controls_shown(sentence) for sentence in result.fallbacks],
        "numbers": numbers(result),
        "cut": result.stats.finish_reason == "length",
        "text": text,
        "thought": thought,
        "thinking": thinking_words(result, has_answer),
        "details": details(result) if result.is_complete else [],
    }


def is_thinking(result: InferenceResult, has_answer: bool) -> bool:
    """Tell whether a model thinks now: it writes, and its answer has not begun."""
    return result.thinking is not None and result.state is RunState.WRITING and not has_answer


def thinking_words(result: InferenceResult, has_answer: bool) -> str:
    """Return what the fold of a thought is called; empty where there is none."""
    thinking = result.thinking
    if thinking is None:
        return ""
    took = thinking_figures(thinking)
    return f"Thinking: {took}" if is_thinking(result, has_answer) else f"Thought for {took}"


def refused(sentence: str) -> dict[str, Any]:
    """Return the view of a question that was not taken."""
    return {"run": 0, "running": False, "note": "", "refused": sentence, "columns": []}


def advice(sentences: Iterable[str]) -> str:
    """Return what makers advise, as HTML; empty sentences are left out."""
    said = (f'<p class="notice">{html.escape(text)}</p>' for text in sentences if text)
    return "".join(said)


def state_words(result: InferenceResult, position: int = 0) -> str:
    """Return a run's state in words, with how far it has come."""
    if result.state is RunState.WAITING and position:
        return f"waiting, number {position} in line"
    if result.state is RunState.LOADING and result.progress is not None:
        return f"loading {result.progress:.0%}".replace("%", " %")
    if result.state is RunState.READING and result.stats.prompt_tokens:
        return f"reading the prompt, {result.stats.prompt_tokens} tokens"
    return result.state.value


def numbers(result: InferenceResult) -> list[list[str]]:
    """Return the figures of a run as pairs of a label and a value with its unit."""
    stats = result.stats
    pairs = [
        ["First token", seconds(stats.time_to_first_token)],
        ["Answer began", _first_of_answer(result)],
        ["Speed", speed(stats.tokens_per_second)],
        ["Tokens", str(stats.token_count) if stats.token_count else ""],
        ["Peak memory", size(stats.memory_usage)],
        ["Load", seconds(stats.load_seconds)],
    ]
    if stats.device_memory_usage:
        pairs.append(["Device memory", size(stats.device_memory_usage)])
    if result.state in (RunState.FAILED, RunState.STOPPED) and not stats.token_count:
        pairs = [pair for pair in pairs if pair[0] != "Speed"]
    return [pair for pair in pairs if pair[1]]


def _first_of_answer(result: InferenceResult) -> str:
    """Return when the answer began; empty where it began with the first token."""
    return seconds(result.stats.time_to_first_answer_token) if result.thinking else ""


def details(result: InferenceResult) -> list[list[str]]:
    """Return what is folded away when a run is over: pairs of a heading and a text."""
    facts = [
        ["Ran on", _ran_on(result)],
        ["Load", _load(result)],
        ["Processor", _processor(result)],
        ["Prompt as sent", result.prompt.rendered],
        ["Template", TEMPLATES.get(result.prompt.template_source, result.prompt.template_source)],
        ["Settings", _settings(result.config, result.config_sources)],
        ["Log", result.log_tail],
    ]
    if not result.prompt.rendered:  # it never came to a prompt
        facts = [fact for fact in facts if fact[0] != "Template"]
    return [[name, with_controls_shown(text)] for name, text in facts if text]


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


def _ran_on(result: InferenceResult) -> str:
    engine = result.engine
    threads = engine.get("threads")
    context = engine.get("context_length")
    parts = [
        engine.get("name"),
        engine.get("device"),
        engine.get("dtype"),
        f"{threads} threads" if threads else None,
        f"{context} tokens of context" if context else None,
        f"decoding: {engine['way']}" if engine.get("way") else None,
    ]
    return ", ".join(str(part) for part in parts if part)


def _load(result: InferenceResult) -> str:
    """Return the load beside how its files were; empty where nobody tells that."""
    stats = result.stats
    return "" if stats.files_cached is None else load_time(stats.load_seconds, stats.files_cached)


def _processor(result: InferenceResult) -> str:
    """Return what a run got of the processor time that it asked for; empty where unknown."""
    got = result.stats.cpu_shares
    stages = {"load": "loading", "prefill": "reading the prompt", "decode": "writing"}
    told = [f"{percent(got[stage])} {words}" for stage, words in stages.items() if got.get(stage)]
    return f"Of the time that it asked for it got {', '.join(told)}" if told else ""


def _settings(config: dict[str, Any], sources: Mapping[str, str]) -> str:
    """Return the settings one a line, each with where it comes from unless that is the default."""
    shown = {
        name: value
        for name, value in config.items()
        if value not in (None, "", [], {}) or name in ("max_tokens", "n_ctx")
    }
    told = {name: f" ({source})" for name, source in sources.items() if source != "default"}
    return "\n".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}{told.get(name, '')}"
        for name, value in shown.items()
    )


def _escaped(text: str) -> str:
    return html.escape(with_controls_shown(text))
