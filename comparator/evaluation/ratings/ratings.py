"""Ratings on the scale that people know: 1000 is the mean, 400 points are ten to one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comparator.evaluation.ratings.contests import By, Contests, Meetings, contests_of
from comparator.storage.votes import Tally, Vote

if TYPE_CHECKING:
    from comparator.evaluation.ratings.fit import Posterior

MEAN = 1000.0
POINTS = 400 / math.log(10)  # of a logit
REACH = 1.959963984540054  # deviations of a normal distribution in which 95 % are
MOST_NEEDED = 1_000  # votes; more is as good as never
ALIKE_POINTS = 50.0  # a difference that makes no difference: 57 of 100 votes
MOST_WITH_ALL_PAIRS = 60  # contenders; of more, only the pairs that a vote has
Interval = tuple[float, float]


@dataclass(frozen=True)
class Rating:
    """One contender.

    Attributes:
        key: its configuration, or its model.
        name: for people.
        rating: points; 1000 is the mean of all contenders.
        interval: in which it is with 95 %.
        votes: that it was in.
        both_bad: how many of these called all answers bad.
        both_bad_interval: of their share of ``votes``, 95 %.
    """

    key: str
    name: str
    rating: float
    interval: Interval
    votes: int
    both_bad: int
    both_bad_interval: Interval

    def to_record(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "configuration": self.key,
            "name": self.name,
            "rating": self.rating,
            "interval": list(self.interval),
            "votes": self.votes,
            "both_bad": self.both_bad,
            "both_bad_rate": self.both_bad / self.votes if self.votes else None,
            "both_bad_interval": list(self.both_bad_interval) if self.votes else None,
        }


@dataclass(frozen=True)
class RatedPair:
    """Two contenders.

    Attributes:
        a: one's key.
        b: the other's.
        difference: a's points less b's.
        interval: in which that is with 95 %.
        probability_a_better: how likely a is the better one.
        votes: on both.
        votes_needed: how many more votes on the two, about, until the interval excludes 0, were
            the difference what it seems; 0 where it does already, None where more than 1000 are.
        is_connected: whether any votes lead from one to the other, also through others; where
            not, the difference rests on what is believed beforehand.
        verdict: ``a`` or ``b`` (it is better), ``alike`` (within 50 points), or ``unclear``.
        gain: what one more vote on them is expected to tell, in nats.
    """

    a: str
    b: str
    difference: float
    interval: Interval
    probability_a_better: float
    votes: int
    votes_needed: int | None
    is_connected: bool
    verdict: str
    gain: float

    def to_record(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "probability_a_better": self.probability_a_better,
            "votes": self.votes,
            "votes_needed": self.votes_needed,
            "difference": self.difference,
            "interval": list(self.interval),
            "is_connected": self.is_connected,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Ratings:
    """What votes tell of all contenders.

    Attributes:
        by: what a contender is.
        ratings: the best first.
        pairs: in the order of the ratings; of many contenders only those that votes are on.
        votes: how many were counted.
        tie_rate: of contests between equals, how many end in a tie (both bad included).
        notes: sentences on what cannot be told.
        next_pair: the keys of the two that it is most worth asking next; None where every pair
            is told apart or alike.
    """

    by: By
    ratings: list[Rating]
    pairs: list[RatedPair]
    votes: int
    tie_rate: float
    notes: list[str]
    next_pair: tuple[str, str] | None

    def name_of(self, key: str) -> str:
        """Return a contender's name."""
        return next(one.name for one in self.ratings if one.key == key)

    def to_record(self) -> dict[str, Any]:
        """Return it ready for JSON, as ``comparator ratings --json``."""
        return {
            "ratings": [one.to_record() for one in self.ratings],
            "pairs": [one.to_record() for one in self.pairs],
            "by": self.by,
            "votes": self.votes,
            "tie_rate": self.tie_rate,
            "next": list(self.next_pair) if self.next_pair else None,
            "notes": self.notes,
        }


def ratings_of(votes: Iterable[Vote | Tally], by: By = "configuration") -> Ratings:
    """Return the ratings that votes give.

    Args:
        votes: as ``Votes.all`` or, for many, ``Votes.tallies`` has them.
        by: whether the same model at two settings is two contenders, or one.

    Raises:
        ConfigurationError: they are of more contenders than can be rated.
    """
    contests = contests_of(votes, by)
    if not contests.keys or not contests.total:
        return Ratings(by, [], [], 0, 0.0, _notes(contests, []), None)
    from comparator.evaluation.ratings.propagation import posterior_of

    posterior = posterior_of(len(contests.keys), contests.meetings)
    order = sorted(range(len(contests.keys)), key=lambda one: -posterior.means[one])
    parts = _parts(contests)
    pairs = list(_pairs(contests, posterior, order, parts))
    best = max(
        (pair for pair in pairs if pair.verdict == "unclear"),
        key=lambda pair: pair.gain,
        default=None,
    )
    return Ratings(
        by,
        _ratings(contests, posterior, order),
        pairs,
        contests.total,
        posterior.ties / (2 + posterior.ties),
        _notes(contests, parts),
        (best.a, best.b) if best else None,
    )


def _ratings(contests: Contests, posterior: Posterior, order: Sequence[int]) -> list[Rating]:
    """Return the contenders around their mean, which is 1000 whatever the votes."""
    from comparator.evaluation.statistics.rates import exact

    covariance, means = posterior.covariance, posterior.means
    rows, whole = covariance.mean(axis=1), float(covariance.mean())
    found = []
    for one in order:
        rating = MEAN + POINTS * float(means[one] - means.mean())
        variance = float(covariance[one, one]) - 2 * float(rows[one]) + whole
        reach = POINTS * REACH * math.sqrt(max(variance, 0.0))
        votes, bad = contests.votes[one], contests.both_bad[one]
        found.append(
            Rating(
                contests.keys[one],
                contests.names[one],
                rating,
                (rating - reach, rating + reach),
                votes,
                bad,
                exact(bad, votes),
            )
        )
    return found


def _pairs(
    contests: Contests, posterior: Posterior, order: Sequence[int], parts: Sequence[set[int]]
) -> Iterator[RatedPair]:
    part_of = {one: number for number, part in enumerate(parts) for one in part}
    has_all = len(order) <= MOST_WITH_ALL_PAIRS
    for a, b in itertools.combinations(order, 2):
        met = contests.meetings.get((min(a, b), max(a, b)))
        if met or has_all:
            yield _pair(contests, posterior, a, b, met, part_of[a] == part_of[b])


def _pair(
    contests: Contests,
    posterior: Posterior,
    a: int,
    b: int,
    met: Meetings | None,
    is_connected: bool,
) -> RatedPair:
    from comparator.evaluation.ratings.fit import information

    covariance = posterior.covariance
    lead = float(posterior.means[a] - posterior.means[b])
    variance = float(covariance[a, a] + covariance[b, b] - 2 * covariance[a, b])
    told = information(lead, posterior.ties)
    reach = REACH * math.sqrt(variance)
    interval = POINTS * (lead - reach), POINTS * (lead + reach)
    return RatedPair(
        contests.keys[a],
        contests.keys[b],
        POINTS * lead,
        interval,
        math.erfc(-lead / math.sqrt(2 * variance)) / 2,
        met.votes if met else 0,
        votes_needed(lead, variance, told),
        is_connected,
        _verdict(interval),
        math.log1p(told * variance) / 2,
    )


def votes_needed(lead: float, variance: float, told: float) -> int | None:
    """Return how many more votes on two contenders until 95 % of the lead lie on one side of 0.

    Each vote adds what it tells to what is known (the inverse of the variance); the lead is taken
    for what it seems to be.

    Args:
        lead: in logits.
        variance: of the lead.
        told: what a vote tells (``fit.information``).

    Returns:
        the number; None where it is more than 1000, or the two look equal.
    """
    known, wanted = 1 / variance, REACH / lead * (REACH / lead) if lead else math.inf
    if known >= wanted:
        return 0
    more = (wanted - known) / told
    return math.ceil(more) if more <= MOST_NEEDED else None


def _verdict(interval: Interval) -> str:
    low, high = interval
    if low > -ALIKE_POINTS and high < ALIKE_POINTS:
        return "alike"
    if low > 0:
        return "a"
    return "b" if high < 0 else "unclear"


def _parts(contests: Contests) -> list[set[int]]:
    """Return the groups of contenders that votes connect, the largest first."""
    parts: list[set[int]] = [{one} for one in range(len(contests.keys))]
    group = list(range(len(contests.keys)))
    for a, b in contests.meetings:
        kept, gone = group[a], group[b]
        if kept == gone:
            continue
        if len(parts[kept]) < len(parts[gone]):
            kept, gone = gone, kept
        for one in parts[gone]:
            group[one] = kept
        parts[kept] |= parts[gone]
        parts[gone] = set()
    return sorted((part for part in parts if part), key=lambda part: (-len(part), min(part)))


def _notes(contests: Contests, parts: Sequence[set[int]]) -> list[str]:
    notes = []
    if contests.without_say:
        many = contests.without_say
        was = "votes were" if many > 1 else "vote was"
        notes.append(f"{many} {was} on one contender alone, which says nothing.")
    if len(parts) > 1:
        groups = "; ".join(_group(contests, part) for part in parts[:_MOST_NAMED])
        more = "; …" if len(parts) > _MOST_NAMED else ""
        notes.append(
            f"No vote connects these groups, so how they stand to each other is only believed "
            f"beforehand: {groups}{more}."
        )
    return notes


_MOST_NAMED = 5


def _group(contests: Contests, part: set[int]) -> str:
    names = [contests.names[one] for one in sorted(part)]
    return ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")
