"""A comparison as one web page that needs nothing else (``web_parts``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape

from comparator.comparison.exports.sheet import Sheet
from comparator.comparison.exports.web_parts import FOLDER, Parts
from comparator.comparison.exports.web_parts import safe_name as _name
from comparator.comparison.exports.web_parts import safe_text as _text
from comparator.comparison.exports.words import remarks, settings_of, title
from comparator.core.limits import LETTERS
from comparator.core.models import InferenceResult
from comparator.core.units import NOT_MEASURED, fine_size, load_time, percent, seconds, speed

PARTS = Parts(FOLDER)
_word, _block = PARTS.word, PARTS.block


def sheet_html(sheet: Sheet) -> str:
    """Return a comparison as one self-contained web page."""
    parts = (*_asked(sheet), *_answers(sheet), *_figures(sheet), *_differences(sheet))
    body = "\n".join([*_header(sheet), "<main>", *parts, "</main>"])
    return PARTS.page(f"Comparison {_name(sheet.kept.id)}", body, "answers")


def _header(sheet: Sheet) -> Iterator[str]:
    yield f"<header><h1>{_word('comparison')}</h1>"
    shown = sheet.moment.replace("T", " ").replace("Z", " UTC")
    moment = f'<time datetime="{sheet.moment}">{shown}</time>'
    yield f'<p class="facts">{_word("asked_at")} {moment} · <code>{_name(sheet.kept.id)}</code></p>'
    for badge in sheet.badges:
        yield f'<p class="badge">{_text(badge)}</p>'
    yield "</header>"


def _asked(sheet: Sheet) -> Iterator[str]:
    yield f'<section aria-labelledby="asked"><h2 id="asked">{_word("asked")}</h2>'
    if sheet.messages:
        yield from _messages(sheet.messages, "h3")
    else:
        yield f"<p>{_word('asked_apart')}</p>"
    yield "</section>"


def _messages(messages: Iterable[dict[str, str]], heading: str) -> Iterator[str]:
    for one in messages:
        role = one["role"] if one["role"] in PARTS.texts["en"] else ""
        yield f"<{heading}>{_word(role) if role else _name(one['role'])}</{heading}>"
        yield _block(one["content"], "message", role or "message")


def _figures(sheet: Sheet) -> Iterator[str]:
    rows = {
        _word(key): [figure(result) for result in sheet.results] for key, figure in _FIGURES.items()
    }
    yield from _section("figures", sheet, rows)


def _differences(sheet: Sheet) -> Iterator[str]:
    """Yield whether the comparison was fair, and what differed between its columns."""
    told = [sentence for sentence in (sheet.fairness, *sheet.changes) if sentence]
    if told:
        rows = {
            f"{_text(row.name)} <small>({_text(row.verdict)})</small>": row.values
            for row in sheet.differences
        }
        yield from _section("fair_play", sheet, rows, told)


def _section(
    key: str, sheet: Sheet, rows: Mapping[str, Sequence[str]], sentences: Sequence[str] = ()
) -> Iterator[str]:
    """Yield a section with sentences and a table of the columns; rows by their headings in HTML."""
    label = escape(PARTS.texts["en"][key])
    yield f'<section aria-labelledby="{key}"><h2 id="{key}">{_word(key)}</h2>'
    yield from (f"<p>{_text(sentence)}</p>" for sentence in sentences)
    if rows:
        yield (
            f'<div class="wide" tabindex="0" role="region" aria-label="{label}" data-label="{key}">'
            f'<table><thead><tr><th scope="col">{_word("figure")}</th>'
        )
        for letter, result in zip(LETTERS, sheet.results, strict=False):
            yield f'<th scope="col">{letter} · <bdi>{escape(title(result))}</bdi></th>'
        yield "</tr></thead><tbody>"
        for heading, values in rows.items():
            cells = "".join(f"<td>{_text(value)}</td>" for value in values)
            yield f'<tr><th scope="row">{heading}</th>{cells}</tr>'
        yield "</tbody></table></div>"
    yield "</section>"


def _answers(sheet: Sheet) -> Iterator[str]:
    yield f'<section id="answers" aria-labelledby="answered"><h2 id="answered">{_word("answers")}'
    yield f'</h2><div class="columns count-{len(sheet.results)}">'
    together = bool(sheet.messages)
    for number, result in enumerate(sheet.results):
        yield from _column(number, result, together)
    yield "</div></section>"


def _column(number: int, result: InferenceResult, asked_together: bool) -> Iterator[str]:
    name = f"column-{number}"
    yield f'<article aria-labelledby="{name}"><h3 id="{name}">{LETTERS[number]} · '
    yield f"<bdi>{escape(title(result))}</bdi></h3>"
    for sentence in remarks(result):
        yield f'<p class="notice">{escape(sentence)}</p>'
    if result.error:
        yield f'<p class="error">{_text(result.error)}</p>'
    if result.stats.finish_reason == "length":
        yield f'<p class="notice">{_word("cut")}</p>'
    if not asked_together:
        yield from _messages(result.prompt.messages, "h4")
    if result.thinking is not None:
        yield PARTS.fold("thought", _block(result.thinking.text, "thought", "thought"))
    yield _block(result.content, "answer", "answer")
    if result.prompt.rendered:
        yield PARTS.fold("rendered", _block(result.prompt.rendered, "rendered", "rendered"))
    settings = "\n".join(settings_of(result))
    yield PARTS.fold("settings", _block(settings, "settings", "settings"))
    yield "</article>"


def _ran_on(result: InferenceResult) -> str:
    engine = result.engine
    threads = f"{engine['threads']} threads" if engine.get("threads") else ""
    parts = (engine.get("name"), engine.get("device"), engine.get("dtype"), threads)
    return ", ".join(str(part) for part in parts if part) or NOT_MEASURED


_FIGURES: dict[str, Callable[[InferenceResult], str]] = {
    "state": lambda r: r.state.value,
    "first_token": lambda r: seconds(r.stats.time_to_first_token, NOT_MEASURED),
    "speed": lambda r: speed(r.stats.tokens_per_second, NOT_MEASURED),
    "tokens": lambda r: str(r.stats.token_count),
    "prompt_tokens": lambda r: str(r.stats.prompt_tokens or NOT_MEASURED),
    "load": lambda r: load_time(r.stats.load_seconds, r.stats.files_cached, NOT_MEASURED),
    "memory": lambda r: fine_size(r.stats.memory_usage, NOT_MEASURED),
    "processor": lambda r: percent(r.stats.cpu_share, NOT_MEASURED),
    "seed": lambda r: str(r.config.get("seed", NOT_MEASURED)),
    "ran_on": _ran_on,
}
