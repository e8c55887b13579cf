"""The parts of the web page that are of the whole suite: figures, pairs, judge, machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from comparator.comparison.exports.web_parts import safe_name, safe_text
from comparator.comparison.record_facts import value_of
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.fairness import fairness_of
from comparator.evaluation.report.judging import judge_name, judge_sentences, pair_counts_of
from comparator.evaluation.report.machine_facts import machine_lines
from comparator.evaluation.report.pareto_chart import pareto_svg
from comparator.evaluation.report.pass_rate_chart import pass_rate_svg
from comparator.evaluation.report.web_tables import (
    PARTS,
    bdi,
    link,
    section,
    sentences,
    table,
    word,
)
from comparator.evaluation.report.words import (
    NOT_MEASURED,
    chance_in_words,
    counted,
    difference_in_words,
)
from comparator.storage.kept_suite import Record

METHOD = (
    "Intervals hold the true value in 95 of 100 such suites; a rate without a small interval is a "
    "guess. Answers that could not be given count as not passed.",
    "A difference between two models is of the same prompts; “not enough to tell” means that it "
    "may as well be chance.",
    "The speed of one answer is that of answers written alone. Answers that were written several "
    "at once have no speed of their own: what is told is the tokens of all of them together, by "
    "the time that it took.",
)
_MOST_FLIPS = 60  # links to prompts of a pair


def overview(contents: Contents, shown: Collection[int]) -> Iterator[str]:
    """Yield summary, charts, pairs and judge; ``shown`` are the prompts that the page has."""
    yield from section("summary", [_summary(contents)])
    yield from section("pass_rate", [_chart(pass_rate_svg(contents.summary, contents.labels))])
    yield from section("by_tag", [_by_tag(contents)])
    yield from section("pairs", _pairs(contents, shown))
    yield from section("pareto", _pareto(contents))
    yield from section("judge", _judge(contents))


def surroundings(contents: Contents) -> Iterator[str]:
    """Yield fair play, machine, notes, and how to read it all."""
    yield from section("fair_play", _fair_play(contents))
    yield from section("settings", _settings(contents), "all-settings")
    yield from section("machine", [_machine(contents)])
    yield from section("notes", sentences(contents.notes))
    yield from section("method", sentences(METHOD))


def _summary(contents: Contents) -> str:
    """Return what was measured, a row a figure; figures that no slot has are left out."""
    figures = [contents.figures(slot) for slot in contents.slots]
    rows = [
        (word(key), [safe_text(one[key]) for one in figures])
        for key in (figures[0] if figures else ())
        if any(one[key] not in (NOT_MEASURED, "0") for one in figures) or key == "answered"
    ]
    told = table("summary", [word("figure"), *map(bdi, contents.labels)], rows)
    return told + "".join(sentences(filter(None, [contents.disturbed])))


def _by_tag(contents: Contents) -> str:
    rows = [
        (bdi(tag), list(map(safe_text, rates))) for tag, rates in contents.rates_by_tag().items()
    ]
    return table("by_tag", [word("tag"), *map(bdi, contents.labels)], rows) if rows else ""


def _chart(svg: str) -> str:
    if not svg:
        return ""
    return f'<div class="chart" tabindex="0" role="group" {PARTS.label("chart")}>{svg}</div>'


def _pairs(contents: Contents, shown: Collection[int]) -> Iterator[str]:
    if not contents.pairs:
        return
    yield from sentences(pair["sentence"] for pair in contents.pairs if pair.get("sentence"))
    heads = [word(key) for key in ("pair", "difference", "chance", "flips")]
    rows = [
        (
            " – ".join(bdi(contents.labels[pair[side]]) for side in ("a", "b")),
            [safe_text(difference_in_words(pair)), safe_text(chance_in_words(pair)),
             _flips(contents, pair, shown)],
        )
        for pair in contents.pairs
    ]  # fmt: skip
    yield table("pairs", heads, rows)


def _flips(contents: Contents, pair: Record, shown: Collection[int]) -> str:
    """Return links to the prompts that one slot passes and the other does not."""
    flips: Sequence[int] = pair.get("flips") or ()
    if not flips:
        return "–"
    items = contents.kept.suite.items
    links = [
        link(prompt, items[prompt].id) if prompt in shown else safe_name(items[prompt].id)
        for prompt in flips[:_MOST_FLIPS]
    ]
    rest = f" … {len(flips) - _MOST_FLIPS} more" if len(flips) > _MOST_FLIPS else ""
    joined = f"{', '.join(links)}{rest}"
    if len(links) <= 8:
        return joined
    return f"<details><summary>{counted(len(flips), 'prompt')}</summary>{joined}</details>"


def _pareto(contents: Contents) -> Iterator[str]:
    yield _chart(pareto_svg(contents.pareto, contents.labels))
    yield from sentences(contents.pareto.sentences)


def _judge(contents: Contents) -> Iterator[str]:
    judge = contents.kept.judge
    if not judge:
        return
    yield f"<p>{word('model')}: {bdi(judge_name(contents))}</p>"
    yield from sentences(judge_sentences(contents))
    if not value_of(judge, "is_refused") and contents.kept.verdicts:
        heads = [word(key) for key in ("pair", "judge_prefers", "judge_ties", "judge_not_steady")]
        yield table("judge", heads, _standings(contents))


def _standings(contents: Contents) -> Iterator[tuple[str, list[str]]]:
    for one in pair_counts_of(contents.kept.verdicts):
        a, b = contents.labels[one.a], contents.labels[one.b]
        prefers = f"{bdi(a)}: {one.wins_of_a}; {bdi(b)}: {one.wins_of_b}"
        yield f"{bdi(a)} – {bdi(b)}", [prefers, str(one.ties), str(one.not_steady)]


def _fair_play(contents: Contents) -> Iterator[str]:
    found = fairness_of(contents)
    if found.sentence:
        yield from sentences([found.sentence])
    yield from sentences([*found.changes, *found.remarks])
    heads = [word("figure"), *map(bdi, contents.labels)]
    rows = [
        (f"{safe_text(row.name)} <small>({safe_text(row.verdict)})</small>",
         [safe_text(value) for value in row.values])
        for row in found.differences
    ]  # fmt: skip
    if rows:
        yield table("fair_play", heads, rows)
    counts = [(word(key), list(map(safe_text, values))) for key, values in found.happened.items()]
    yield f"<h3>{word('happened')}</h3>"
    yield table("happened", heads, counts)


def _settings(contents: Contents) -> Iterator[str]:
    """Yield all settings of each slot, to be opened."""
    for slot in contents.slots:
        lines = PARTS.block("\n".join(contents.settings(slot)), "settings", "settings")
        digest = safe_name(contents.kept.slots[slot].configuration)
        told = f'{lines}<p class="facts"><code>{digest}</code></p>'
        yield f"<details><summary>{bdi(contents.labels[slot])}</summary>{told}</details>"


def _machine(contents: Contents) -> str:
    lines = machine_lines(contents.kept.machine, contents.without_paths)
    rows = [(safe_name(name), [safe_text(value)]) for name, value in lines]
    return table("machine", [word("figure"), word("machine")], rows) if rows else ""
