"""Votes as contests of two: who met whom, how often, and how it ended."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from comparator.core.exceptions import ConfigurationError
from comparator.storage.votes import BOTH_BAD, LETTERS, TIE, Contender, Tally, Vote

By = Literal["configuration", "model"]
MOST_CONTENDERS = 1_000


@dataclass
class Meetings:
    """How two contenders fared against each other.

    The weights of a vote on two columns are 1. On N columns each of its pairs weighs 2 / N: so
    much they tell together of equally good columns as the choice of one of N (Fisher's
    information of Luce's choice model), while counted in full they would pretend to tell more.

    Attributes:
        wins: of the first, by weight.
        losses: of the first, by weight.
        ties: by weight, those where both were bad included.
        votes: how many votes had both.
    """

    wins: float = 0.0
    losses: float = 0.0
    ties: float = 0.0
    votes: int = 0


@dataclass
class Contests:
    """All that votes say of contenders in pairs.

    Attributes:
        keys: what names each contender (its configuration, or its model).
        names: of the contenders, for people: the last that was used.
        meetings: by the contenders' numbers, the smaller first.
        votes: of each contender, how many votes it was in.
        both_bad: of each contender, how many of these called all answers bad.
        total: votes that say something.
        without_say: votes on columns that are all the same contender, which say nothing.
    """

    keys: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    meetings: dict[tuple[int, int], Meetings] = field(default_factory=dict)
    votes: Counter[int] = field(default_factory=Counter)
    both_bad: Counter[int] = field(default_factory=Counter)
    total: int = 0
    without_say: int = 0


def contests_of(votes: Iterable[Vote | Tally], by: By = "configuration") -> Contests:
    """Return votes as contests.

    A vote for one of several columns says that it is better than each other one, and nothing of
    the others; ``tie`` and ``both_bad`` say that all are alike. A contender is never held against
    itself.

    Raises:
        ConfigurationError: there are more contenders than can be rated.
    """
    contests = Contests()
    numbers: dict[str, int] = {}
    for (contenders, winner), count in sorted(_counted(votes).items()):
        places = [_number(contests, numbers, one, by) for one in contenders]
        _note(contests, places, winner, count)
    return contests


def _counted(votes: Iterable[Vote | Tally]) -> Counter[tuple[tuple[Contender, ...], str]]:
    counted: Counter[tuple[tuple[Contender, ...], str]] = Counter()
    for vote in votes:
        counted[vote.contenders, vote.winner] += vote.count if isinstance(vote, Tally) else 1
    return counted


def _number(contests: Contests, numbers: dict[str, int], contender: Contender, by: By) -> int:
    key = contender.configuration if by == "configuration" else contender.model
    if key not in numbers:
        if len(numbers) == MOST_CONTENDERS:
            raise ConfigurationError(
                f"The votes are of more than {MOST_CONTENDERS:,} {by}s, which are too many to "
                "rate together."
            )
        numbers[key] = len(numbers)
        contests.keys.append(key)
        contests.names.append(contender.name)
    return numbers[key]


def _note(contests: Contests, places: list[int], winner: str, count: int) -> None:
    """Add equal votes to the contests."""
    if len(set(places)) < 2:
        contests.without_say += count
        return
    contests.total += count
    for place in set(places):
        contests.votes[place] += count
        contests.both_bad[place] += count * (winner == BOTH_BAD)
    weight = 2 * count / len(places)
    met = set()
    for first, second in itertools.combinations(range(len(places)), 2):
        a, b = places[first], places[second]
        if a == b:
            continue
        found = contests.meetings.setdefault((min(a, b), max(a, b)), Meetings())
        is_first_time = (min(a, b), max(a, b)) not in met
        met.add((min(a, b), max(a, b)))
        found.votes += count * is_first_time
        _score(found, a < b, winner, first, second, weight)


def _score(
    found: Meetings, is_in_order: bool, winner: str, first: int, second: int, weight: float
) -> None:
    if winner in (TIE, BOTH_BAD):
        found.ties += weight
    elif winner in (LETTERS[first], LETTERS[second]):
        if (winner == LETTERS[first]) == is_in_order:
            found.wins += weight
        else:
            found.losses += weight
