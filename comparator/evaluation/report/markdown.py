"""A suite as Markdown: figures in tables, sentences, and each prompt with its answers in fences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from comparator.comparison.exports.texts import escaped, fenced, row_of
from comparator.comparison.exports.words import thinking_figures
from comparator.core.text import without_surrogates
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.fairness import fairness_of
from comparator.evaluation.report.fates import differ, fate_of_cell, fates_of
from comparator.evaluation.report.judging import (
    judge_name,
    judge_sentences,
    pair_counts_of,
    verdicts_in_words,
)
from comparator.evaluation.report.machine_facts import machine_lines
from comparator.evaluation.report.texts import beginning, clipped
from comparator.evaluation.report.web_overview import METHOD
from comparator.evaluation.report.web_tables import PARTS
from comparator.evaluation.report.words import (
    assertion_in_words,
    chance_in_words,
    counted,
    difference_in_words,
)
from comparator.storage.kept_suite import Cell, Item

MOST_LETTERS = 4_000_000  # of all prompts with their answers


def suite_markdown(contents: Contents, most_letters: int = MOST_LETTERS) -> str:
    """Return a suite as Markdown.

    Args:
        contents: the suite.
        most_letters: of all prompts with their answers; what is beyond is left out, which is said.
    """
    kept = contents.kept
    lines = [f"# Suite {escaped(kept.name or kept.suite.name)}", ""]
    lines += [f"{escaped(contents.heading)} Begun {contents.moment}, `{escaped(kept.id)}`."]
    lines += [*_summary(contents), *_by_tag(contents), *_pairs(contents)]
    lines += _list("pareto", contents.pareto.sentences)
    lines += [*_judge(contents), *_matrix(contents), *_fair_play(contents)]
    lines += [*_settings(contents), *_machine(contents)]
    lines += [*_list("notes", contents.notes), *_list("method", METHOD)]
    lines += _prompts(contents, most_letters)
    return without_surrogates("\n".join(lines)) + "\n"


def _heading(key: str) -> list[str]:
    return ["", f"## {PARTS.texts['en'][key]}", ""]


def _list(key: str, sentences: Iterable[str]) -> list[str]:
    told = [f"- {escaped(sentence)}" for sentence in sentences]
    return [*_heading(key), *told] if told else []


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield row_of([escaped(head) for head in heads])
    yield "|" + "---|" * len(heads)
    yield from (row_of([escaped(cell) for cell in row]) for row in rows)


def _summary(contents: Contents) -> list[str]:
    figures = [contents.figures(slot) for slot in contents.slots]
    keys = [key for key in figures[0] if any(one[key] not in ("0", "–") for one in figures)]
    rows = [
        [contents.labels[slot], *(figures[slot][key] for key in keys)] for slot in contents.slots
    ]
    words = PARTS.texts["en"]
    told = _table([words["model"], *(words[key] for key in keys)], rows)
    disturbed = ["", escaped(contents.disturbed)] if contents.disturbed else []
    return [*_heading("summary"), *told, *disturbed]


def _by_tag(contents: Contents) -> list[str]:
    rates = contents.rates_by_tag()
    heads = [PARTS.texts["en"]["tag"], *contents.labels]
    rows = ([tag, *told] for tag, told in rates.items())
    return [*_heading("by_tag"), *_table(heads, rows)] if rates else []


def _pairs(contents: Contents) -> list[str]:
    told = [pair["sentence"] for pair in contents.pairs if pair.get("sentence")]
    if not contents.pairs:
        return []
    items = contents.kept.suite.items
    rows = [
        [
            f"{contents.labels[pair['a']]} – {contents.labels[pair['b']]}",
            difference_in_words(pair),
            chance_in_words(pair),
            ", ".join(items[prompt].id for prompt in pair.get("flips") or ()) or "–",
        ]
        for pair in contents.pairs
    ]
    heads = [PARTS.texts["en"][key] for key in ("pair", "difference", "chance", "flips")]
    return [*_list("pairs", told), "", *_table(heads, rows)]


def _judge(contents: Contents) -> list[str]:
    judge = contents.kept.judge
    if not judge:
        return []
    told = [f"{PARTS.texts['en']['model']}: {judge_name(contents)}", *judge_sentences(contents)]
    for one in pair_counts_of(contents.kept.verdicts) if not judge.get("is_refused") else ():
        a, b = contents.labels[one.a], contents.labels[one.b]
        told.append(
            f"{a}: {one.wins_of_a}; {b}: {one.wins_of_b}; ties: {one.ties}; not steady: "
            f"{one.not_steady}"
        )
    return _list("judge", told)


def _matrix(contents: Contents) -> list[str]:
    rows = (
        [contents.kept.suite.items[prompt].id, *map(str, fates_of(contents, prompt))]
        for prompt in contents.prompts
    )
    heads = [PARTS.texts["en"]["prompt"], *contents.labels]
    return [*_heading("matrix"), *_table(heads, rows)]


def _fair_play(contents: Contents) -> list[str]:
    found, words = fairness_of(contents), PARTS.texts["en"]
    told = [one for one in (found.sentence, *found.changes, *found.remarks) if one]
    rows = [[row.name, *row.values, row.verdict] for row in found.differences]
    rows += [[words[key], *values, ""] for key, values in found.happened.items()]
    heads = [words["figure"], *contents.labels, ""]
    listed = _list("fair_play", told) or _heading("fair_play")[:-1]
    return [*listed, "", *_table(heads, rows)]


def _settings(contents: Contents) -> Iterator[str]:
    yield from _heading("settings")[:-1]
    for slot in contents.slots:
        yield from ("", f"### {escaped(contents.labels[slot])}", "")
        yield from fenced("\n".join(contents.settings(slot)))


def _machine(contents: Contents) -> list[str]:
    lines = machine_lines(contents.kept.machine, contents.without_paths)
    return _list("machine", (f"{name}: {value}" for name, value in lines))


def _prompts(contents: Contents, most_letters: int) -> Iterator[str]:
    yield from _heading("prompts")[:-1]
    taken = 0
    for number in contents.prompts:
        lines = list(_prompt(contents, number))
        taken += sum(map(len, lines))
        if taken > most_letters and number:
            rest = len(contents.prompts) - number
            yield ""
            yield f"> {counted(rest, 'more prompt')} left out here; the JSON lines have them."
            return
        yield from lines


def _prompt(contents: Contents, number: int) -> Iterator[str]:
    item, fates = contents.kept.suite.items[number], fates_of(contents, number)
    mark = " (they differ)" if differ(fates) else ""
    yield from ("", f"### {escaped(item.id)}: {escaped(beginning(item.question))}{mark}")
    yield from _asked(item)
    for slot in contents.slots:
        for cell in contents.cells.get((slot, number), ()):
            yield from _cell(contents, cell, item)
    for verdict in verdicts_in_words(contents, number):
        yield from ("", f"- {escaped(verdict)}")


def _asked(item: Item) -> Iterator[str]:
    for one in item.messages:
        if len(item.messages) > 1:
            yield from ("", f"**{escaped(one['role'])}**")
        yield from ("", *fenced(clipped(one["content"])[0]))
    if item.expected is not None:
        yield from ("", f"{PARTS.texts['en']['expected']}:", "", *fenced(clipped(item.expected)[0]))


def _cell(contents: Contents, cell: Cell, item: Item) -> Iterator[str]:
    again = f", {cell.repeat + 1} of {contents.kept.repeats}" if contents.kept.repeats > 1 else ""
    fate = fate_of_cell(cell)
    yield from ("", f"#### {escaped(contents.labels[cell.slot])}{again}: {escaped(str(fate))}")
    result = contents.result_of(cell)
    if result is None:
        return
    if result.thinking is not None:
        yield from ("", f"> *Thought for {thinking_figures(result.thinking)}*")
    if cell.state == "done":
        text, note = clipped(result.content)
        yield from ("", *fenced(text))
        if note:
            yield from ("", f"> {escaped(note)}")
    if result.error:
        yield from ("", f"> {escaped(result.error)}")
    if cell.assertions:
        yield ""
    for place, one in enumerate(cell.assertions):
        value = item.assertions[place].value if place < len(item.assertions) else None
        told = {True: "✓", False: "✗", None: "?"}[one.passed]
        reason = contents.without_folders(clipped(one.reason, 600)[0])
        yield f"- {told} {escaped(assertion_in_words(one, value))}: {escaped(reason)}"
