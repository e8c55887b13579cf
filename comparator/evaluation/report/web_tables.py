"""Tables and links of the web page of a suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from comparator.comparison.exports.web_parts import FOLDER, Parts, safe_name, safe_text
from comparator.evaluation.report.fates import Fate

PARTS = Parts(FOLDER, Path(__file__).parent / "page")
word = PARTS.word


def section(key: str, parts: Iterable[str], place: str = "") -> Iterator[str]:
    """Yield a section under one of the page's own headings; nothing where it has no parts."""
    body = [part for part in parts if part]
    if body:
        name = place or key
        yield f'<section aria-labelledby="{name}"><h2 id="{name}">{word(key)}</h2>'
        yield from body
        yield "</section>"


def table(key: str, heads: Iterable[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a table that is scrolled where it has no room.

    Args:
        key: what it is called.
        heads: the headings of its columns, in HTML.
        rows: of each row its heading and its cells, in HTML.
    """
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{head}</th>{"".join(f"<td>{one}</td>" for one in cells)}</tr>'
        for head, cells in rows
    )
    return scrolled(
        key,
        f'<table class="{key}"><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>',
    )


def scrolled(key: str, content: str) -> str:
    """Return what may be wider than the page, which a keyboard can scroll."""
    return f'<div class="wide" tabindex="0" role="group" {PARTS.label(key)}>{content}</div>'


def sentences(texts: Iterable[str]) -> Iterator[str]:
    """Yield sentences, each a paragraph; they are English whatever the page's own words are."""
    return (f'<p lang="en">{safe_text(text)}</p>' for text in texts)


def fate(one: Fate) -> str:
    """Return what became of an answer: a mark and words, and a colour beside them."""
    return f'<span class="fate {one.kind}">{safe_text(str(one))}</span>'


def link(prompt: int, text: str) -> str:
    """Return a link to a prompt of this page."""
    return f'<a href="#prompt-{prompt}">{safe_name(text)}</a>'


def bdi(text: str) -> str:
    """Return a name that cannot turn the text around it."""
    return f"<bdi>{safe_name(text)}</bdi>"
