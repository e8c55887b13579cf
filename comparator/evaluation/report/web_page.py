"""A suite as one web page that needs nothing else (``comparison.exports.web_parts``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from comparator.comparison.exports.web_parts import safe_name, safe_text
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.fates import Fate, fates_of
from comparator.evaluation.report.web_overview import overview, surroundings
from comparator.evaluation.report.web_prompts import classes_of, prompt_html, question_html
from comparator.evaluation.report.web_tables import (
    PARTS,
    bdi,
    fate,
    scrolled,
    section,
    sentences,
    word,
)
from comparator.evaluation.report.words import counted

MOST_LETTERS = 12_000_000  # of all prompts with their answers; browsers stay quick with that
MOST_ROWS = 5_000  # of the table of prompts and models
_FILTERS = (("all", "all_prompts"), ("differ", "differ"), ("failed", "failed_some"),
            ("missing", "no_answer"))  # fmt: skip
_PLACES = ("summary", "pairs", "pareto", "judge", "matrix", "prompts", "fair_play", "machine")
_CLASSES = {"differ": "differ", "failed": "some-fail", "missing": "some-missing"}


def suite_html(contents: Contents, most_letters: int = MOST_LETTERS) -> str:
    """Return a suite as one self-contained web page.

    Args:
        contents: the suite.
        most_letters: of all prompts with their answers. What is beyond that is left out, first
            prompts that all slots answered alike, and the page says so.
    """
    shown = _prompts(contents, most_letters)
    fates = [fates_of(contents, prompt) for prompt in contents.prompts]
    main = "\n".join([
        *overview(contents, shown.keys()),
        *section("matrix", [_filters(fates), _matrix(contents, fates, shown.keys())]),
        *section("prompts", [_left_out(contents, len(shown)), *shown.values()]),
        *surroundings(contents),
    ])  # fmt: skip
    body = "\n".join([*_header(contents, main), "<main>", main, "</main>"])
    return PARTS.page(f"Suite {safe_name(contents.kept.name)}", body, "prompts")


def _header(contents: Contents, main: str) -> Iterator[str]:
    kept = contents.kept
    yield f"<header><h1>{word('suite')}: {bdi(kept.name or kept.suite.name)}</h1>"
    shown = contents.moment.replace("T", " ").replace("Z", " UTC")
    moment = f'<time datetime="{contents.moment}">{shown}</time>'
    yield f'<p class="facts">{moment} · <code>{safe_name(kept.id)}</code></p>'
    kind = "" if all(cell.state == "done" for cell in kept.cells) else ' class="notice"'
    yield f'<p lang="en"{kind}>{safe_text(contents.heading)}</p>'
    links = "".join(
        f'<li><a href="#{place}">{word(place)}</a></li>'
        for place in _PLACES
        if f'id="{place}"' in main
    )
    yield f"<nav {PARTS.label('contents')}><ul>{links}</ul></nav></header>"


def _prompts(contents: Contents, most_letters: int) -> dict[int, str]:
    """Return the prompts that have room, in their order; those of interest come first to it."""
    order = sorted(
        contents.prompts,
        key=lambda prompt: ("differ" not in classes_of(fates_of(contents, prompt)), prompt),
    )
    found: dict[int, str] = {}
    taken = 0
    for prompt in order:
        text = prompt_html(contents, prompt)
        taken += len(text)
        if taken > most_letters and found:
            break
        found[prompt] = text
    return dict(sorted(found.items()))


def _left_out(contents: Contents, shown: int) -> str:
    rest = len(contents.prompts) - shown
    if not rest:
        return ""
    told = (
        f"The answers to {counted(rest, 'prompt')} were left out here, so that browsers can open "
        "this page: first those that all models answered alike. The table above has "
        "what became of them, and the JSON lines of this suite have all of it."
    )
    return f'<p class="notice">{safe_text(told)}</p>'


def _filters(fates: Sequence[Sequence[Fate]]) -> str:
    """Return the choice of what is shown; it works without a script."""
    classes = [classes_of(one).split() for one in fates]
    choices = []
    for name, key in _FILTERS:
        number = sum(_CLASSES[name] in one for one in classes) if name in _CLASSES else len(fates)
        checked = " checked" if name == "all" else ""
        choices.append(
            f'<label><input type="radio" name="show" id="show-{name}"{checked}> '
            f"{word(key)} ({number})</label>"
        )
    return (
        f"<fieldset><legend>{word('filter')}</legend>{''.join(choices)}</fieldset>"
        f'<p class="search" hidden><label>{word("search")} <input type="search"></label> '
        f'<output aria-live="polite"></output></p>'
    )


def _matrix(contents: Contents, fates: Sequence[Sequence[Fate]], shown: Collection[int]) -> str:
    rows = "".join(
        _row(contents, prompt, fates[prompt], shown) for prompt in contents.prompts[:MOST_ROWS]
    )
    heads = "".join(f'<th scope="col">{bdi(label)}</th>' for label in contents.labels)
    table = (
        f'<table class="matrix"><thead><tr><th scope="col">{word("prompt")}</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )
    rest = len(contents.prompts) - MOST_ROWS
    told = f"{counted(rest, 'more prompt')} were left out of this table." if rest > 0 else ""
    return scrolled("matrix", table) + "".join(sentences(filter(None, [told])))


def _row(contents: Contents, prompt: int, fates: Sequence[Fate], shown: Collection[int]) -> str:
    item = contents.kept.suite.items[prompt]
    name = safe_name(item.id)
    if prompt in shown:
        name = f'<a href="#prompt-{prompt}">{name}</a>'
    cells = "".join(f"<td>{fate(one)}</td>" for one in fates)
    return (
        f'<tr class="{classes_of(fates)}" data-prompt="{prompt}">'
        f'<th scope="row">{name} {question_html(item)}</th>{cells}</tr>'
    )
