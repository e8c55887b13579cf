"""A comparison as one web page that needs nothing else: it asks for no file and no address.

Its policy (CSP) lets run the one script and the one style sheet that stand in it, by their digests,
and nothing more, so that nothing in a prompt, an answer or a name could run or be fetched even if
it were not escaped. The script only changes the page's own words into Chinese where the browser
reads it; without it the page is whole.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from comparator.comparison.exports.sheet import LETTERS, Sheet
from comparator.comparison.exports.words import NOT_MEASURED, remarks, settings_of, title
from comparator.core.models import InferenceResult
from comparator.core.text import name_shown, with_controls_shown, without_surrogates
from comparator.core.units import fine_size, load_time, percent, seconds, speed

_FOLDER = Path(__file__).parent / "page"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#answers">{skip}</a>
{body}
<script>{script}</script>
</body>
</html>
"""


def sheet_html(sheet: Sheet) -> str:
    """Return a comparison as one self-contained web page."""
    parts = (*_asked(sheet), *_answers(sheet), *_figures(sheet), *_differences(sheet))
    body = "\n".join([*_header(sheet), "<main>", *parts, "</main>"])
    page = _PAGE.format(
        policy=_policy(),
        title=f"Comparison {_name(sheet.kept.id)}",
        style=_style(),
        skip=_word("skip"),
        body=body,
        script=_script(),
    )
    return without_surrogates(page)


@functools.cache
def _texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(_file("texts.json"))
    return found


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@functools.cache
def _style() -> str:
    return _file("page.css")


@functools.cache
def _script() -> str:
    words = json.dumps(_texts()["zh"], ensure_ascii=False).replace("<", "\\u003c")
    return f"const TEXTS = {words};\n{_file('page.js')}"


def _policy() -> str:
    script, style = _digest(_script()), _digest(_style())
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _word(key: str) -> str:
    """Return one of the page's own words, which the script can replace."""
    return f'<span data-text="{key}">{escape(_texts()["en"][key])}</span>'


def _name(text: str) -> str:
    return escape(name_shown(text))


def _text(text: str) -> str:
    return escape(with_controls_shown(text))


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
        role = one["role"] if one["role"] in _texts()["en"] else ""
        yield f"<{heading}>{_word(role) if role else _name(one['role'])}</{heading}>"
        yield _block(one["content"], "message", role or "message")


def _block(text: str, kind: str, label: str) -> str:
    """Return a text as it was written, which a keyboard can scroll."""
    said = escape(_texts()["en"][label])
    return (
        f'<pre class="{kind}" dir="auto" tabindex="0" role="group" aria-label="{said}" '
        f'data-label="{label}">{_text(text)}</pre>'
    )


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
    label = escape(_texts()["en"][key])
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
        yield from _fold("thought", _block(result.thinking.text, "thought", "thought"))
    yield _block(result.content, "answer", "answer")
    if result.prompt.rendered:
        yield from _fold("rendered", _block(result.prompt.rendered, "rendered", "rendered"))
    settings = "\n".join(settings_of(result))
    yield from _fold("settings", _block(settings, "settings", "settings"))
    yield "</article>"


def _fold(key: str, content: str) -> Iterator[str]:
    yield f"<details><summary>{_word(key)}</summary>{content}</details>"


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
