"""In which order blind answers stand, so that no configuration profits from its place.

Readers prefer what stands on the left a little. So each configuration of a pair is to stand there
equally often, over the votes on that pair. Strict turns would tell who is who to anybody who
remembers the last vote. So the order is drawn, and the rarer one is the likelier: Efron's biased
coin (Biometrika 58, 1971), here for up to four at once.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence

_DOUBLINGS = 0.5  # by an imbalance of one the other order becomes twice as likely: 2 of 3


def balanced_order(
    configurations: Sequence[str], shown: Iterable[Sequence[str]], draw: random.Random
) -> list[int]:
    """Return an order for configurations: their places in the sequence, from left to right.

    Args:
        configurations: what is asked; up to four.
        shown: the configurations of each earlier vote, from left to right.
        draw: where chance comes from.
    """
    lead = leads(shown)
    orders = list(itertools.permutations(range(len(configurations))))
    costs = [_cost([configurations[place] for place in order], lead) for order in orders]
    least = min(costs)  # so that no weight becomes zero for all
    weights = [2.0 ** (-_DOUBLINGS * (cost - least)) for cost in costs]
    return list(draw.choices(orders, weights)[0])


def leads(shown: Iterable[Sequence[str]]) -> Counter[tuple[str, str]]:
    """Return how much more often the first of a pair stood to the left of the second."""
    lead: Counter[tuple[str, str]] = Counter()
    for names in shown:
        for left, right in itertools.combinations(names, 2):
            lead[left, right] += 1
            lead[right, left] -= 1
    return lead


def _cost(names: Sequence[str], lead: Counter[tuple[str, str]]) -> int:
    return sum(lead[pair] for pair in itertools.combinations(names, 2))
