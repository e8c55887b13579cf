"""The answers of a comparison by the ids of their models, which a notebook shows as a table.

The table is HTML without scripts, and whatever a model, a file or a person wrote is text in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from comparator.core.models import InferenceResult, Thinking
from comparator.core.text import with_controls_shown
from comparator.core.units import NOT_MEASURED, fine_size, seconds, speed

_LONGEST_BEGIN = 60  # characters of an answer in a line
# As pandas tells it to notebooks: what stands between two dollar signs is no formula here.
_NO_FORMULAS = 'class="tex2jax_ignore mathjax_ignore"'
_TEXT = 'style="text-align:left;vertical-align:top;white-space:pre-wrap"'
_CELL = 'style="text-align:left;vertical-align:top"'


class Results(dict[str, InferenceResult]):
    """Results by model id, as ``run_inference`` yields them."""

    def __repr__(self) -> str:
        """Return a line for each model; the whole of a result is in its own ``repr``."""
        lines = (f"{name}: {_line(result)}" for name, result in self.items())
        return "\n".join(lines) or "no results"

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows."""
        return table(self.values())


def table(results: Iterable[InferenceResult]) -> str:
    """Return answers and their figures as an HTML table, a row for each model."""
    head = "".join(f"<th {_CELL}>{name}</th>" for name in _COLUMNS)
    rows = "".join(_row(result) for result in results)
    return f"<table {_NO_FORMULAS}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _line(result: InferenceResult) -> str:
    said = result.error or result.content
    begin = repr(said[:_LONGEST_BEGIN]) + ("…" if len(said) > _LONGEST_BEGIN else "")
    name = with_controls_shown(_name(result))
    return f"{name}, {result.state.value}, {result.stats.token_count} tokens, {begin}"


def _row(result: InferenceResult) -> str:
    cells = "".join(column(result) for column in _COLUMNS.values())
    return f"<tr>{cells}</tr>"


def _text(text: str) -> str:
    return escape(with_controls_shown(text))


def _cell(value: Callable[[InferenceResult], str]) -> Callable[[InferenceResult], str]:
    return lambda result: f"<td {_CELL}>{_text(value(result))}</td>"


def _name(result: InferenceResult) -> str:
    if result.model is None:
        return result.model_id
    _plain, _, number = result.model_id.partition("#")
    return f"{result.model.name} #{number}" if number else result.model.name


def _answer(result: InferenceResult) -> str:
    parts = [_thought(result.thinking), _text(result.content)]
    if result.error:
        parts.append(f"<p><b>[{_text(result.error_kind or '')}] {_text(result.error)}</b></p>")
    if result.notice:
        parts.append(f"<p><i>{_text(result.notice)}</i></p>")
    return f"<td {_TEXT}>{''.join(parts)}</td>"


def _thought(thinking: Thinking | None) -> str:
    if thinking is None:
        return ""
    told = f"thought for {seconds(thinking.seconds)}, {thinking.tokens} tokens"
    return f"<details><summary>{told}</summary>{_text(thinking.text)}</details>"


_COLUMNS: dict[str, Callable[[InferenceResult], str]] = {
    "model": _cell(_name),
    "answer": _answer,
    "state": _cell(lambda result: result.state.value),
    "first token": _cell(lambda r: seconds(r.stats.time_to_first_token, NOT_MEASURED)),
    "speed": _cell(lambda r: speed(r.stats.tokens_per_second or 0)),
    "tokens": _cell(lambda r: str(r.stats.token_count)),
    "peak memory": _cell(lambda r: fine_size(r.stats.memory_usage, NOT_MEASURED)),
}
