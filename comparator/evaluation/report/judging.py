"""What a judge said of the slots, and how far it may be believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from comparator.comparison.record_facts import list_of, number_of, text_of, texts_of, value_of
from comparator.core.units import percent
from comparator.evaluation.report.contents import Contents
from comparator.storage.kept_suite import JudgeVerdict


@dataclass(frozen=True)
class PairCount:
    """How often a judge preferred which of two slots."""

    a: int
    b: int
    wins_of_a: int
    wins_of_b: int
    ties: int
    not_steady: int


def pair_counts_of(verdicts: Sequence[JudgeVerdict]) -> list[PairCount]:
    """Return the verdicts, counted by pairs of slots; what got no verdict at all is left out."""
    by_pair: dict[tuple[int, int], list[str | None]] = {}
    for one in verdicts:
        if one.winner is not None or _is_whole(one):
            by_pair.setdefault((one.a, one.b), []).append(one.winner)
    return [
        PairCount(a, b, said.count("a"), said.count("b"), said.count("tie"), said.count(None))
        for (a, b), said in sorted(by_pair.items())
    ]


def _is_whole(verdict: JudgeVerdict) -> bool:
    """Whether the judge said something in both orders."""
    return bool(verdict.first and verdict.swapped)


def judge_name(contents: Contents) -> str:
    """Return what the judge is called: its model's name, and its label where it has one."""
    judge = contents.kept.judge or {}
    name, label = text_of(judge, "model", "name"), text_of(judge, "label")
    return f"{name} ({label})" if name and label and label != name else name or label


def judge_sentences(contents: Contents) -> Iterator[str]:
    """Yield how steady the judge was, and what speaks against it."""
    judge = contents.kept.judge or {}
    told = texts_of(judge, "sentences")
    if told:
        yield from map(contents.without_paths, told)
        return
    consistency = number_of(judge, "consistency")
    if consistency is not None:
        yield f"It said the same in both orders in {percent(consistency)} of what it was asked."
    if value_of(judge, "is_refused"):
        yield "It is refused: nothing that it said counts."
    related = [one for one in list_of(judge, "same_family") if one in contents.slots]
    if related:
        yield f"It is of the same family as {', '.join(contents.labels[one] for one in related)}."


def verdicts_in_words(contents: Contents, prompt: int) -> list[str]:
    """Return what a judge said of the answers to a prompt; of one that was refused, nothing."""
    if value_of(contents.kept.judge or {}, "is_refused"):
        return []
    said = (one for one in contents.kept.verdicts if one.prompt == prompt)
    return [_verdict_in_words(contents, one) for one in said]


def _verdict_in_words(contents: Contents, verdict: JudgeVerdict) -> str:
    """Return what a judge said of two answers."""
    a, b = contents.labels[verdict.a], contents.labels[verdict.b]
    names = {"a": f"{a} is better", "b": f"{b} is better", "tie": "neither is better"}
    if verdict.winner is not None:
        return f"{a} and {b}: {names.get(verdict.winner, verdict.winner)}."
    if not _is_whole(verdict):
        return f"{a} and {b}: no verdict. {contents.without_paths(verdict.reason)}".rstrip()
    first, swapped = (names.get(said, said) for said in (verdict.first, verdict.swapped))
    both = f"{first}; the other way round {swapped}"
    return f"{a} and {b}: not steady, so it counts nothing ({both})."
