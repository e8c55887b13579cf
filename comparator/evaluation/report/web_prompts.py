"""The prompts of the web page, each with its answers side by side, and what differs in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from comparator.comparison.exports.web_parts import safe_name, safe_text
from comparator.comparison.exports.words import thinking_figures
from comparator.comparison.record_facts import end_of
from comparator.core.models import InferenceResult
from comparator.core.units import NOT_MEASURED, seconds, speed
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.differences import WordRun, pieces_of
from comparator.evaluation.report.fates import Fate, differ, fate_of_cell, fates_of
from comparator.evaluation.report.judging import verdicts_in_words
from comparator.evaluation.report.languages import language_of
from comparator.evaluation.report.texts import beginning, clipped
from comparator.evaluation.report.web_tables import PARTS, bdi, fate, word
from comparator.evaluation.report.words import assertion_in_words, counted, letter_of
from comparator.storage.kept_suite import Assertion, AssertionOutcome, Cell, Item

FEW_PROMPTS = 5  # are open from the start
LONG_ANSWER = 2000  # characters; longer ones are read only if they are opened
FEW_FOR_ALL_PAIRS = 60  # prompts; with more, answers are held against the first slot's alone
_MARKS = {True: "✓", False: "✗", None: "?"}
_KINDS = {True: "pass", False: "fail", None: "part"}
_WORDS = {True: "passed", False: "failed", None: "not told"}


def classes_of(fates: Sequence[Fate]) -> str:
    """Return the classes by which a row is found by the page's filter."""
    kinds = {one.kind for one in fates}
    told = [
        "row",
        *(["differ"] if differ(fates) else []),
        *(["some-fail"] if kinds & {"fail", "part"} else []),
        *(["some-missing"] if kinds & {"error", "wait"} else []),
    ]
    return " ".join(told)


def prompt_html(contents: Contents, prompt: int) -> str:
    """Return a prompt with all its answers."""
    item, fates = contents.kept.suite.items[prompt], fates_of(contents, prompt)
    is_open = " open" if len(contents.prompts) <= FEW_PROMPTS else ""
    told = " ".join(
        f'<span class="fate {one.kind}">{letter_of(slot)} {safe_text(str(one))}</span>'
        for slot, one in enumerate(fates)
    )
    parts = [*_asked(item, prompt), *_columns(contents, prompt), *_judged(contents, prompt)]
    parts += _differences(contents, prompt)
    return (
        f'<details class="prompt {classes_of(fates)}" data-prompt="{prompt}"{is_open}>'
        f"<summary><h3>{safe_name(item.id)} · {question_html(item)}</h3> {told}</summary>"
        f'<div id="prompt-{prompt}">{"".join(parts)}</div></details>'
    )


def question_html(item: Item) -> str:
    """Return how a question begins, with its language where its letters tell that."""
    text = beginning(item.question)
    language = language_of(text)
    lang = f' lang="{language}"' if language else ""
    return f"<bdi{lang}>{safe_name(text)}</bdi>"


def _asked(item: Item, prompt: int) -> Iterator[str]:
    yield f"<h4>{word('asked')}</h4>"
    for one in item.messages:
        role = one["role"] if one["role"] in PARTS.texts["en"] else "message"
        if len(item.messages) > 1:
            yield f"<h5>{word(role)}</h5>"
        yield block(one["content"], "message", role)
    if item.expected is not None:
        yield f"<h4>{word('expected')}</h4>{block(item.expected, 'message', 'expected')}"
    if item.tags:
        yield f'<p class="facts">{safe_text(", ".join(item.tags))}</p>'


def block(text: str, kind: str, key: str) -> str:
    """Return a text of a person or a model, cut where it is too long for a page."""
    shown, note = clipped(text)
    told = f'<p class="notice">{escape(note)}</p>' if note else ""
    return PARTS.block(shown, kind, key, language_of(shown)) + told


def _columns(contents: Contents, prompt: int) -> Iterator[str]:
    yield f'<div class="columns count-{len(contents.slots)}">'
    assertions = contents.kept.suite.items[prompt].assertions
    for slot in contents.slots:
        name = f"cell-{prompt}-{slot}"
        yield f'<article aria-labelledby="{name}"><h4 id="{name}">{bdi(contents.labels[slot])}</h4>'
        cells = contents.cells.get((slot, prompt), [])
        for number, cell in enumerate(cells):
            inside = "".join(_cell(contents, cell, assertions))
            if number:
                title = f"{number + 1} / {len(cells)}: {fate_of_cell(cell)}"
                inside = f"<details><summary>{safe_text(title)}</summary>{inside}</details>"
            yield inside
        yield "</article>"
    yield "</div>"


def _cell(contents: Contents, cell: Cell, assertions: Sequence[Assertion]) -> Iterator[str]:
    yield f"<p>{fate(fate_of_cell(cell))}</p>"
    result = contents.result_of(cell)
    if result is None:
        return
    if result.error:
        yield f'<p class="error">{safe_text(result.error)}</p>'
    if result.thinking is not None:
        inside = block(result.thinking.text, "thought", "thought")
        yield PARTS.fold("thought", inside)
    if cell.state == "done":
        yield _answer(result.content)
    yield from _checks(contents, cell.assertions, assertions)
    yield f'<p class="facts">{safe_text(facts_of(cell, result))}</p>'
    if result.notice:
        yield f'<p class="notice facts">{safe_text(result.notice)}</p>'


def _answer(text: str) -> str:
    shown = block(text, "answer", "answer")
    if len(text) <= LONG_ANSWER:
        return shown
    title = f"{counted(len(text), 'character')}: {beginning(text)}"
    return f"<details><summary>{word('answer')}, {safe_name(title)}</summary>{shown}</details>"


def _checks(
    contents: Contents, outcomes: Sequence[AssertionOutcome], assertions: Sequence[Assertion]
) -> Iterator[str]:
    if not outcomes:
        return
    yield f'<ul class="checks" {PARTS.label("assertions")}>'
    for number, one in enumerate(outcomes):
        value = assertions[number].value if number < len(assertions) else None
        yield (
            f'<li><span class="fate {_KINDS[one.passed]}">{_MARKS[one.passed]} '
            f"{_WORDS[one.passed]}</span> {safe_name(assertion_in_words(one, value))}: "
            f"{safe_text(contents.without_folders(clipped(one.reason, 600)[0]))}</li>"
        )
    yield "</ul>"


def facts_of(cell: Cell, result: InferenceResult) -> str:
    """Return the figures of an answer; one of a batch has no speed of its own."""
    stats = result.stats
    parts = [f"{counted(stats.token_count, 'token')}"]
    if cell.batch > 1:
        parts.append(f"one of {cell.batch} written at once, so without a speed of its own")
    else:
        parts.append(speed(stats.tokens_per_second, NOT_MEASURED))
        parts.append(f"first token {seconds(stats.time_to_first_token, NOT_MEASURED)}")
    if result.thinking is not None:
        parts.append(f"thought for {thinking_figures(result.thinking)}")
    ends = {"cut_tokens": "cut at the limit of tokens", "cut_context": "cut, context full"}
    return ", ".join([*parts, *filter(None, [ends.get(end_of(cell.record or {}))])])


def _judged(contents: Contents, prompt: int) -> Iterator[str]:
    said = verdicts_in_words(contents, prompt)
    if said:
        yield f'<h4>{word("verdict")}</h4><ul class="checks">'
        yield from (f"<li>{safe_text(one)}</li>" for one in said)
        yield "</ul>"


def _differences(contents: Contents, prompt: int) -> Iterator[str]:
    """Yield which words differ between the slots' first answers."""
    answers = _first_answers(contents, prompt)
    pairs = list(itertools.combinations(answers, 2))
    if len(contents.prompts) > FEW_FOR_ALL_PAIRS:
        pairs = [pair for pair in pairs if pair[0] == min(answers)]
    if not pairs:
        return
    inside = "".join(_difference(answers, *pair) for pair in pairs)
    yield PARTS.fold("different_words", inside)


def _first_answers(contents: Contents, prompt: int) -> dict[int, str]:
    found = {}
    for slot in contents.slots:
        for cell in contents.cells.get((slot, prompt), ())[:1]:
            if cell.state == "done" and cell.record:
                found[slot] = str(cell.record.get("content") or "")
    return found


def _difference(answers: Mapping[int, str], a: int, b: int) -> str:
    names = f"{letter_of(a)} – {letter_of(b)}"
    if answers[a] == answers[b]:
        return f"<p>{names}: the same, letter by letter.</p>"
    pieces = pieces_of(answers[a], answers[b])
    if pieces is None:
        return f"<p>{names}: too little in common, or too long, to be held against each other.</p>"
    body = "".join(map(_piece, pieces))
    return (
        f"<p>{names}: <del>{letter_of(a)}</del> <ins>{letter_of(b)}</ins></p>"
        f'<pre class="words" dir="auto" tabindex="0" role="group" '
        f"{PARTS.label('different_words')}>{body}</pre>"
    )


_TAGS = {"left": "del", "right": "ins"}


def _piece(piece: WordRun) -> str:
    text = safe_text(piece.text)
    if piece.kind == "gap":
        return ' <span class="gap">[…]</span> '
    tag = _TAGS.get(piece.kind)
    return f"<{tag}>{text}</{tag}>" if tag else text
