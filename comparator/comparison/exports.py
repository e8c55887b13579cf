"""Results as text, Markdown, JSON, JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from comparator.core.models import InferenceResult, Thinking
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size, load_time, percent, seconds, speed

_CSV_MODEL = ("id", "name", "model_type", "path", "size")
_CSV_STATS = (
    "duration",
    "load_seconds",
    "time_to_first_token",
    "prompt_tokens",
    "token_count",
    "tokens_per_second",
    "memory_usage",
    "finish_reason",
    "cpu_share",
    "files_cached",
    "time_to_first_answer_token",
    "characters_per_second",
)
_CSV_THINKING = ("text", "tokens", "seconds")
_CSV_REST = (
    *("way", "notice", "fallbacks", "error"),
    *("thinking", "thinking_tokens", "thinking_seconds", "content"),
)

NOT_MEASURED = "–"


def as_text(results: Sequence[InferenceResult]) -> str:
    """Return the answers one after another, each under its model's name and numbers."""
    return "\n".join(
        f"=== {title(result)} ===\n{_thought(result)}{_answer(result)}\n"
        f"--- {figures(result)}\n{_note(result)}"
        for result in results
    )


def without_thoughts(results: Sequence[InferenceResult]) -> list[InferenceResult]:
    """Return results for people who want to read the answers alone."""
    return [replace(result, thinking=None) for result in results]


def _thought(result: InferenceResult) -> str:
    """Return what a model thought, each line marked, with an empty line after it."""
    if result.thinking is None:
        return ""
    lines = with_controls_shown(result.thinking.text).split("\n")
    quoted = "\n".join(f"> {line}".rstrip() for line in lines)
    return f"[thought for {thinking_figures(result.thinking)}]\n{quoted}\n\n"


def _note(result: InferenceResult) -> str:
    return "".join(f"--- {sentence}\n" for sentence in remarks(result))


def as_markdown(results: Sequence[InferenceResult]) -> str:
    """Return a table of the numbers and the answers below it."""
    lines = ["| " + " | ".join(_MARKDOWN_COLUMNS) + " |", "|" + "---|" * len(_MARKDOWN_COLUMNS)]
    for result in results:
        cells = [column(result) for column in _MARKDOWN_COLUMNS.values()]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for result in results:
        lines += ["", f"## {title(result)}", "", *_quoted_thought(result), _answer(result)]
        for sentence in remarks(result):
            lines += ["", f"> {sentence}"]
    return "\n".join(lines) + "\n"


def _quoted_thought(result: InferenceResult) -> list[str]:
    if result.thinking is None:
        return []
    lines = with_controls_shown(result.thinking.text).split("\n")
    told = f"> *Thought for {thinking_figures(result.thinking)}*"
    return [told, ">", *(f"> {line}".rstrip() for line in lines), ""]


def as_json(results: Sequence[InferenceResult]) -> str:
    """Return a JSON list of records."""
    return json.dumps([r.to_record() for r in results], ensure_ascii=False, indent=2) + "\n"


def as_json_lines(results: Sequence[InferenceResult]) -> str:
    """Return one record a line."""
    return "".join(json.dumps(r.to_record(), ensure_ascii=False) + "\n" for r in results)


def as_csv(results: Sequence[InferenceResult]) -> str:
    """Return one row a model."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_CSV_MODEL, *_CSV_STATS, *_CSV_REST])
    for result in results:
        record = result.to_record()
        model, stats = record["model"], record["stats"]
        writer.writerow(
            [
                *(model.get(key) for key in _CSV_MODEL),
                *(stats[key] for key in _CSV_STATS),
                record["engine"].get("way", ""),
                record["notice"] or "",
                " ".join(result.fallbacks),
                record["error"],
                *((record["thinking"] or {}).get(key) for key in _CSV_THINKING),
                record["content"],
            ]
        )
    return out.getvalue()


FORMATS: dict[str, Callable[[Sequence[InferenceResult]], str]] = {
    "text": as_text,
    "md": as_markdown,
    "json": as_json,
    "jsonl": as_json_lines,
    "csv": as_csv,
}


def title(result: InferenceResult) -> str:
    """Return a model's name, its engine, and its number where it stands twice."""
    if result.model is None:
        return result.model_id
    _plain, _, number = result.model_id.partition("#")
    again = f" #{number}" if number else ""
    return f"{with_controls_shown(result.model.name)}{again} ({result.model.model_type.value})"


def remarks(result: InferenceResult) -> list[str]:
    """Return what a reader should know of a run: its notice, and what was off in it and why."""
    notices = [result.notice] if result.notice else []
    return [with_controls_shown(sentence) for sentence in (*notices, *result.fallbacks)]


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


def _answer(result: InferenceResult) -> str:
    text = with_controls_shown(result.content)
    if result.error:
        return f"{text}\n[{result.error_kind}] {with_controls_shown(result.error)}".lstrip()
    return text


_MARKDOWN_COLUMNS: dict[str, Callable[[InferenceResult], str]] = {
    "model": title,
    "state": lambda r: r.state.value,
    "first token": lambda r: seconds(r.stats.time_to_first_token, NOT_MEASURED),
    "tokens/s": lambda r: f"{r.stats.tokens_per_second or 0:.1f}",
    "tokens": lambda r: str(r.stats.token_count),
    "load": lambda r: load_time(r.stats.load_seconds, r.stats.files_cached, NOT_MEASURED),
    "processor": lambda r: percent(r.stats.cpu_share, NOT_MEASURED),
    "peak memory": lambda r: fine_size(r.stats.memory_usage, NOT_MEASURED),
}
