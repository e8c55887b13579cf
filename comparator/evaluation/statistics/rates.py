"""The interval of a pass rate: exact for one answer to a prompt, by clusters for several."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from comparator.evaluation.statistics.outcomes import PassShare

CONFIDENCE = 0.95
Interval = tuple[float, float]


def exact(passed: float, told: float, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of Clopper and Pearson (Biometrika 26, 1934) for a rate.

    Args:
        passed: how many passed; need not be whole (an effective number).
        told: of how many.
        confidence: how often such an interval has the true rate in it, at the least.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(passed, told - passed + 1, tail)) if passed > 0 else 0.0
    high = float(betaincinv(passed + 1, told - passed, 1 - tail)) if passed < told else 1.0
    return low, high


def pass_rate(shares: Sequence[PassShare]) -> float | None:
    """Return the mean of the prompts' rates: each prompt counts the same. None for none."""
    return statistics.fmean(share.rate for share in shares) if shares else None


def interval(shares: Sequence[PassShare], confidence: float = CONFIDENCE) -> Interval | None:
    """Return the interval of ``pass_rate``; None where nothing could be told.

    The prompts are taken as drawn from those that a person might ask, so repeats of one prompt
    say less than as many other prompts.
    """
    rate = pass_rate(shares)
    if rate is None:
        return None
    number = effective_number(shares, confidence)
    return exact(rate * number, number, confidence)


def effective_number(shares: Sequence[PassShare], confidence: float = CONFIDENCE) -> float:
    """Return how many independent answers the answers are worth.

    For one answer to a prompt their number. For several: Korn and Graubard (Survey Methodology
    24, 1998), ``p (1 - p) / v * (t(N - 1) / t(n - 1))²`` with v the variance of the mean of the
    n prompts' rates and N answers; never fewer than there are prompts (were all repeats equal,
    that many would be exact), nor more than there are answers.
    """
    prompts, answers = len(shares), sum(share.told for share in shares)
    if answers == prompts or prompts < 2:
        return float(prompts)
    rates = [share.rate for share in shares]
    mean, variance = statistics.fmean(rates), statistics.variance(rates) / prompts
    spread = mean * (1 - mean)
    if not spread:  # all passed, or none: nothing tells how alike repeats are
        return float(prompts)
    if not variance:
        return float(answers)
    wanted = spread / variance * _ratio_of_t(answers - 1, prompts - 1, confidence) ** 2
    return min(max(wanted, float(prompts)), float(answers))


def _ratio_of_t(many: int, few: int, confidence: float) -> float:
    from scipy.special import stdtrit

    end = (1 + confidence) / 2
    return float(stdtrit(many, end) / stdtrit(few, end))
