"""Slots in pairs: which passes more, by how much, whether that can be told, and where they part."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from comparator.evaluation.statistics import paired
from comparator.evaluation.statistics.outcomes import PassShare, Shares, shares_of
from comparator.storage.kept_suite import KeptSuite

LIKELY = 0.05  # a p-value, adjusted for the number of pairs, from which on nothing is told
ALIKE = 0.05  # a difference of rates that makes no difference
MOST_NEEDED = 10_000  # prompts; more is as good as never
Line = dict[str, Any]


def pairs_of(kept: KeptSuite) -> list[Line]:
    """Return all pairs of slots, ready for JSON.

    Each has the slots ``a`` and ``b``; ``prompts`` (those of which both can be told);
    ``difference`` (a's pass rate less b's, over those prompts) with its 95 % ``interval``;
    ``p_value``, and ``adjusted_p_value`` (Holm's, for all pairs of this suite); ``flips``, the
    prompts that one passes and the other does not (with repeats: in more than half of them),
    apart as ``only_a`` and ``only_b``; ``mcnemar`` (the counts of the four kinds, and the exact
    p-value of these flips); ``verdict``: ``a`` or ``b`` (it passes more), ``alike`` (they differ
    by less than 5 points) or ``unclear``; ``prompts_needed``, about how many prompts more would
    tell at this difference, null where that cannot be said; and ``sentence``.

    Where nothing can be told of a pair its figures are null.
    """
    shares = shares_of(kept)
    labels = [slot.label or f"Slot {place + 1}" for place, slot in enumerate(kept.slots)]
    lines = [
        _line(a, b, shares[a], shares[b])
        for a, b in itertools.combinations(range(len(kept.slots)), 2)
    ]
    _adjust(lines)
    for line in lines:
        line["verdict"] = _verdict(line)
        line["prompts_needed"] = _needed(line, shares[line["a"]], shares[line["b"]])
        line["sentence"] = _sentence(line, labels[line["a"]], labels[line["b"]])
    return lines


def _line(a: int, b: int, of_a: Shares, of_b: Shares) -> Line:
    both = sorted(of_a.keys() & of_b.keys())
    differences = [_difference(of_a[prompt], of_b[prompt]) for prompt in both]
    only_a = [one for one in both if of_a[one].passes and not of_b[one].passes]
    only_b = [one for one in both if of_b[one].passes and not of_a[one].passes]
    return {
        "a": a,
        "b": b,
        "prompts": len(both),
        "difference": paired.mean(differences) if both else None,
        "interval": list(paired.interval(differences)) if both else None,
        "p_value": paired.p_value(differences) if both else None,
        "flips": sorted([*only_a, *only_b]),
        "only_a": only_a,
        "only_b": only_b,
        "mcnemar": _mcnemar(of_a, of_b, both, len(only_a), len(only_b)),
    }


def _difference(a: PassShare, b: PassShare) -> Fraction:
    return Fraction(a.passed, a.told) - Fraction(b.passed, b.told)


def _mcnemar(
    of_a: Shares, of_b: Shares, both: Sequence[int], only_a: int, only_b: int
) -> Line | None:
    """Return the four kinds of prompts, and McNemar's exact test of the flips."""
    if not both:
        return None
    passed = sum(of_a[prompt].passes and of_b[prompt].passes for prompt in both)
    signs = [Fraction(1)] * only_a + [Fraction(-1)] * only_b
    return {
        "both": passed,
        "only_a": only_a,
        "only_b": only_b,
        "neither": len(both) - passed - only_a - only_b,
        "p_value": paired.p_value(signs),
    }


def _adjust(lines: Sequence[Line]) -> None:
    """Add Holm's p-values (Scandinavian Journal of Statistics 6, 1979): of many pairs some part."""
    told = [line for line in lines if line["p_value"] is not None]
    values = [line["p_value"] for line in told]
    for line in lines:
        line["adjusted_p_value"] = line["p_value"]
    if len(told) > 1:
        from statsmodels.stats.multitest import multipletests

        adjusted = multipletests(values, method="holm")[1]
        for line, value in zip(told, adjusted, strict=True):
            line["adjusted_p_value"] = float(value)


def _verdict(line: Line) -> str:
    if line["difference"] is None:
        return "unclear"
    low, high = line["interval"]
    if low > -ALIKE and high < ALIKE:
        return "alike"
    if line["adjusted_p_value"] >= LIKELY:
        return "unclear"
    return "a" if line["difference"] > 0 else "b"


def _needed(line: Line, of_a: Shares, of_b: Shares) -> int | None:
    """Return how many prompts more would part them, were the difference what it seems to be."""
    if line["verdict"] != "unclear":
        return 0
    if not line["difference"]:
        return None
    both = of_a.keys() & of_b.keys()
    squares = [float(_difference(of_a[prompt], of_b[prompt])) ** 2 for prompt in both]
    # As strict as Holm was with this pair among the others.
    likely = LIKELY * line["p_value"] / line["adjusted_p_value"]
    reach = paired.normal_quantile(1 - likely / 2)
    by_size = sum(squares) / len(squares) * (reach / line["difference"]) ** 2
    # Of few prompts that differ all ways to turn the signs are too few: of five, one in 16.
    share = sum(square > 0 for square in squares) / len(squares)
    all_of_them = math.ceil(max(by_size, (math.floor(math.log2(2 / likely)) + 1) / share))
    more = max(all_of_them - len(both), 1)
    return more if more <= MOST_NEEDED else None


def _sentence(line: Line, a: str, b: str) -> str:
    if line["difference"] is None:
        return f"{a} and {b}: no prompt has assertions that could be told of both."
    low, high = (100 * end for end in line["interval"])
    if line["verdict"] == "alike":
        return f"{a} and {b} pass about as often: they differ by {_points(low, high)}."
    if line["verdict"] == "unclear":
        takes = _what_it_takes(line)
        return f"Not enough to tell {a} from {b} ({_points(low, high)} for {a}): {takes}."
    more, less = (a, b) if line["verdict"] == "a" else (b, a)
    low, high = (low, high) if more == a else (-high, -low)
    size = f"{100 * abs(line['difference']):.0f} points"
    return f"{more} passes more than {less}: by {size} ({low:.0f} to {high:.0f})."


def _points(low: float, high: float) -> str:
    return f"{low:+.0f} to {high:+.0f} points"


def _what_it_takes(line: Line) -> str:
    prompts = f"{line['prompts']} prompt{'s' * (line['prompts'] != 1)}"
    if line["prompts_needed"] is None:
        return f"{prompts} show no difference that more prompts would soon settle"
    more = line["prompts_needed"]
    return f"after {prompts} about {more} more would, if the difference is what it seems"
