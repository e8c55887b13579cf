"""Results as text for terminals, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from comparator.comparison.exports.sheet import Sheet
from comparator.comparison.exports.words import (
    figures,
    remarks,
    thinking_figures,
    title,
)
from comparator.comparison.fairness.fair_play_words import DifferenceRow
from comparator.core.limits import LETTERS
from comparator.core.models import InferenceResult
from comparator.core.text import name_shown, with_controls_shown, without_surrogates
from comparator.core.units import NOT_MEASURED, fine_size, load_time, percent, seconds

_FENCE = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)
# What Markdown gives a meaning inside a line. An underscore inside a word has none.
_MARKED = re.compile(
    r"[\\`*\[\]<>|~$]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|(?<=:)//|(?<=\bwww)\.|^[#+=-]|#$"
)


def as_text(results: Sequence[InferenceResult]) -> str:
    """Return the answers one after another, each under its model's name and numbers."""
    return "\n".join(map(_column, results))


def _column(result: InferenceResult, asked: str = "") -> str:
    return (
        f"=== {title(result)} ===\n{asked}{_thought(result)}{_answer(result)}\n"
        f"--- {figures(result)}\n{_note(result)}"
    )


def sheet_text(sheet: Sheet) -> str:
    """Return a comparison as text: what was asked, and then the answers."""
    head = [f"Comparison {name_shown(sheet.kept.id)}, asked {sheet.moment}", *sheet.badges]
    if sheet.messages:
        columns = [*_said(sheet.messages), "", as_text(sheet.results)]
    else:
        told = ("\n".join([*_said(one.prompt.messages), ""]) for one in sheet.results)
        columns = ["\n".join(map(_column, sheet.results, (f"{text}\n" for text in told)))]
    fair = [*filter(None, [sheet.fairness]), *sheet.changes, *map(_line, sheet.differences)]
    return without_surrogates("\n".join([*head, "", *columns, *fair])).rstrip("\n") + "\n"


def _line(row: DifferenceRow) -> str:
    """Return a difference on one line: what, in each column, and what it means."""
    return f"- {row.name}: {' | '.join(row.values)} ({row.verdict})"


def _said(messages: Iterable[Mapping[str, str]]) -> Iterator[str]:
    for one in messages:
        yield f"[{name_shown(one['role'])}] {with_controls_shown(one['content'])}"


def as_markdown(results: Sequence[InferenceResult]) -> str:
    """Return a table of the numbers and the answers below it, each as it was written, in a fence.

    So no answer can become a heading, a link or HTML of the document that it stands in.
    """
    return "\n".join([*_table(results), *_answers(results)]) + "\n"


def sheet_markdown(sheet: Sheet) -> str:
    """Return a comparison as Markdown: what was asked, the numbers, and the answers."""
    lines = [f"# Comparison {escaped(sheet.kept.id)}", "", f"Asked {sheet.moment}."]
    for badge in sheet.badges:
        lines += ["", f"**{escaped(badge)}**"]
    apart = not sheet.messages
    lines += [*_quoted(sheet.messages), "", *_table(sheet.results), *_differences(sheet)]
    lines += _answers(sheet.results, with_question=apart)
    return without_surrogates("\n".join(lines)) + "\n"


def escaped(text: str) -> str:
    """Return a name or a sentence that Markdown shows as it is, on one line."""
    return _MARKED.sub(lambda found: "\\" + found[0].replace("//", "/\\/"), name_shown(text))


def fenced(text: str) -> list[str]:
    """Return a text as a block of code that it cannot end itself."""
    shown = with_controls_shown(text)
    longest = max((len(found) for found in _FENCE.findall(shown)), default=2)
    fence = "`" * (longest + 1)
    return [f"{fence}text", *shown.split("\n"), fence]


def _table(results: Sequence[InferenceResult]) -> list[str]:
    lines = [row_of(list(_COLUMNS)), "|" + "---|" * len(_COLUMNS)]
    rows = ([escaped(column(result)) for column in _COLUMNS.values()] for result in results)
    return [*lines, *map(row_of, rows)]


def _differences(sheet: Sheet) -> Iterator[str]:
    """Yield what differed between the columns, as a table, and what was not taken as asked."""
    for sentence in filter(None, (sheet.fairness, *sheet.changes)):
        yield from ("", escaped(sentence))
    if not sheet.differences:
        return
    names = LETTERS[: len(sheet.results)]
    yield from ("", row_of(["differs", *names, ""]), "|" + "---|" * (len(names) + 2))
    for row in sheet.differences:
        yield row_of([escaped(cell) for cell in (row.name, *row.values, row.verdict)])


def row_of(cells: Sequence[str]) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def _quoted(messages: Iterable[Mapping[str, str]]) -> Iterator[str]:
    for one in messages:
        yield from ("", f"**{escaped(one['role'])}**", "", *fenced(one["content"]))


def _answers(results: Sequence[InferenceResult], with_question: bool = False) -> Iterator[str]:
    for result in results:
        yield from ("", f"## {escaped(title(result))}")
        if with_question:
            yield from _quoted(result.prompt.messages)
        yield from ("", *_quoted_thought(result))
        if result.content or not result.error:
            yield from fenced(result.content)
        if result.error:
            yield from ("", f"> [{escaped(result.error_kind or 'error')}] {escaped(result.error)}")
        for sentence in remarks(result):
            yield from ("", f"> {escaped(sentence)}")


def _quoted_thought(result: InferenceResult) -> list[str]:
    if result.thinking is None:
        return []
    told = f"> *Thought for {thinking_figures(result.thinking)}*"
    quoted = [f"> {line}".rstrip() for line in fenced(result.thinking.text)]
    return [told, ">", *quoted, ""]


def _thought(result: InferenceResult) -> str:
    """Return what a model thought, each line marked, with an empty line after it."""
    if result.thinking is None:
        return ""
    lines = with_controls_shown(result.thinking.text).split("\n")
    quoted = "\n".join(f"> {line}".rstrip() for line in lines)
    return f"[thought for {thinking_figures(result.thinking)}]\n{quoted}\n\n"


def _answer(result: InferenceResult) -> str:
    text = with_controls_shown(result.content)
    if result.error:
        return f"{text}\n[{result.error_kind}] {with_controls_shown(result.error)}".lstrip()
    return text


def _note(result: InferenceResult) -> str:
    return "".join(f"--- {sentence}\n" for sentence in remarks(result))


_COLUMNS: dict[str, Callable[[InferenceResult], str]] = {
    "model": title,
    "state": lambda r: r.state.value,
    "first token": lambda r: seconds(r.stats.time_to_first_token, NOT_MEASURED),
    "tokens/s": lambda r: f"{r.stats.tokens_per_second or 0:.1f}",
    "tokens": lambda r: str(r.stats.token_count),
    "load": lambda r: load_time(r.stats.load_seconds, r.stats.files_cached, NOT_MEASURED),
    "processor": lambda r: percent(r.stats.cpu_share, NOT_MEASURED),
    "peak memory": lambda r: fine_size(r.stats.memory_usage, NOT_MEASURED),
}
