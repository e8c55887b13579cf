"""Differences within prompts: an interval and an exact test, for few prompts and for many.

Each prompt gives one difference of two slots' rates, from -1 to 1, whatever the number of its
repeats: what repeats have in common stays in it, so that nothing is counted twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from comparator.evaluation.statistics.rates import CONFIDENCE, Interval

MOST_BY_DRAWING = 300  # prompts; above, the normal approximation is as good
DRAWS = 20_000
MOST_SUMS = 200_000  # that are counted exactly; repeats of very unequal numbers have far more
# Half an answer of each of the four kinds (both pass, either, neither), as Agresti and Min add
# (Statistics in Medicine 24, 2005): without them no flip among five prompts were a certainty.
_PRIOR = {Fraction(-1): 0.5, Fraction(0): 1.0, Fraction(1): 0.5}


def mean(differences: Sequence[Fraction]) -> float:
    """Return the mean difference."""
    return float(sum(differences, Fraction(0)) / len(differences))


def interval(differences: Sequence[Fraction], confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of the mean difference.

    Weights of the prompts are drawn from Dirichlet's distribution (the Bayesian bootstrap, Rubin,
    Annals of Statistics 9, 1981), with two prompts added that were not asked (``_PRIOR``): for one
    answer to a prompt this is the posterior of Jeffreys' prior on the four kinds of a pair. Above
    ``MOST_BY_DRAWING`` prompts its mean and variance in a normal distribution. The mean itself
    is always within. The same differences have the same interval, in whatever order.
    """
    weights: dict[Fraction, float] = dict(_PRIOR)
    for difference, count in Counter(differences).items():
        weights[difference] = weights.get(difference, 0.0) + count
    several = len(differences) <= MOST_BY_DRAWING
    low, high = (_drawn if several else _normal)(weights, confidence)
    middle = mean(differences)
    return max(min(low, middle), -1.0), min(max(high, middle), 1.0)


def _drawn(weights: dict[Fraction, float], confidence: float) -> Interval:
    import numpy as np

    values = sorted(weights)
    numbers = [weights[value] for value in values]
    seed = [part % 2**32 for value in values for part in value.as_integer_ratio()]
    generator = np.random.default_rng([*seed, *(int(2 * number) for number in numbers)])
    drawn = generator.dirichlet(numbers, DRAWS) @ np.array([float(value) for value in values])
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _normal(weights: dict[Fraction, float], confidence: float) -> Interval:
    middle, deviation = _moments(weights)
    reach = normal_quantile((1 + confidence) / 2) * deviation
    return middle - reach, middle + reach


def _moments(weights: dict[Fraction, float]) -> tuple[float, float]:
    """Return mean and deviation of a mean whose weights are Dirichlet's."""
    number = sum(weights.values())
    middle = sum(weight * float(value) for value, weight in weights.items()) / number
    square = sum(weight * float(value) ** 2 for value, weight in weights.items()) / number
    return middle, math.sqrt(max(square - middle**2, 0.0) / (number + 1))


def p_value(differences: Sequence[Fraction]) -> float:
    """Return how often chance alone would part two slots as far as this, or farther.

    Were both equally good, each prompt's difference could as well be the other way round: the
    signs of all are turned in every way (Fisher's sign-flip test), counted exactly. For one
    answer to a prompt this is McNemar's exact test. Many prompts with repeats are taken as
    normal, with the variance of turned signs. Where the numbers of repeats differ so that there
    are more than ``MOST_SUMS`` sums, ways are drawn.
    """
    sizes = [abs(difference) for difference in differences if difference]
    if not sizes:
        return 1.0
    reached = abs(sum(differences, Fraction(0)))
    if set(sizes) == {Fraction(1)}:
        return _by_binomial(len(sizes), int(reached))
    if len(differences) <= MOST_BY_DRAWING:
        unit = math.lcm(*(size.denominator for size in sizes))
        is_countable = 2 * sum(sizes) * unit < MOST_SUMS
        return _by_counting(sizes, reached, unit) if is_countable else _by_turning(sizes, reached)
    deviation = math.sqrt(sum(float(size) ** 2 for size in sizes))
    return math.erfc(float(reached) / deviation / math.sqrt(2))


def _by_binomial(flips: int, reached: int) -> float:
    from scipy.special import bdtr

    fewer = (flips - reached) // 2
    return min(1.0, 2 * float(bdtr(fewer, flips, 0.5)))


def _by_counting(sizes: Sequence[Fraction], reached: Fraction, unit: int) -> float:
    """Return the share of all ways to turn the signs that reach as far, by convolution."""
    import numpy as np

    steps = [int(size * unit) for size in sizes]
    ways = np.ones(1)  # the share of the ways whose sum is the index, less the sum of all steps
    for step in steps:
        longer = np.zeros(len(ways) + 2 * step)
        longer[: len(ways)] += ways / 2
        longer[2 * step :] += ways / 2
        ways = longer
    sums = np.arange(len(ways)) - sum(steps)
    return min(1.0, float(ways[np.abs(sums) >= int(reached * unit)].sum()))


def _by_turning(sizes: Sequence[Fraction], reached: Fraction) -> float:
    """Return the share of drawn ways to turn the signs that reach as far, the one seen included."""
    import numpy as np

    ordered = sorted(sizes)
    seed = [part % 2**32 for size in ordered for part in size.as_integer_ratio()]
    turned = np.random.default_rng(seed).integers(0, 2, (DRAWS, len(ordered)), dtype=np.int8)
    sums = np.abs((2.0 * turned - 1.0) @ np.array([float(size) for size in ordered]))
    return float(1 + np.count_nonzero(sums >= float(reached) - _ROUNDING)) / (DRAWS + 1)


_ROUNDING = 1e-9  # of a sum of so many differences


def normal_quantile(share: float) -> float:
    """Return below what a standard normal value is with that probability."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
