"""The fit: the likeliest strengths by Davidson's model of ties with a prior, and around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comparator.evaluation.ratings.contests import Meetings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Before any vote, strengths (logits) are spread as this: 1.5 is 260 points, so that of two
# strangers one is 600 points above the other about once in ten times.
PRIOR_DEVIATION = 1.5
# And of equals about one contest in five is a tie, from 6 % to 50 %: else votes that are all ties
# would say how easily ties come, and not that two are alike.
TIES_MIDDLE, TIES_DEVIATION = 0.5, 0.75  # of nu, and of its logarithm
_MOST_STEPS = 100
_NEAR_ENOUGH = 1e-10


@dataclass(frozen=True)
class Posterior:
    """What is known of the contenders' strengths: a normal distribution.

    Attributes:
        means: a strength each, in logits.
        covariance: of them.
        ties: Davidson's nu: of equals, ties are nu / (2 + nu) of all contests.
    """

    means: Floats
    covariance: Floats
    ties: float


def likeliest(
    number: int,
    meetings: Mapping[tuple[int, int], Meetings],
    prior_deviation: float = PRIOR_DEVIATION,
    ties_deviation: float = TIES_DEVIATION,
) -> Posterior:
    """Return the likeliest strengths, and Laplace's approximation of the posterior around them.

    A contest of two with strengths s and t ends for the first, for the second, or in a tie in the
    ratio ``exp(s) : exp(t) : nu exp((s + t) / 2)`` (Davidson, JASA 65, 1970); without ties that
    is Bradley's and Terry's model. Strengths are normal around 0 beforehand, so that all stays
    finite also where one has won everything, and where no vote connects two contenders. The
    logarithm is concave, so Newton's steps end at its one maximum.

    Args:
        number: of contenders.
        meetings: how they fared, by their numbers.
        prior_deviation: of strengths beforehand; large ones leave all to the votes.
        ties_deviation: of the logarithm of nu beforehand.
    """
    import numpy as np

    contests = _Contests(number, meetings, prior_deviation, ties_deviation)
    where: Floats = np.zeros(number + contests.has_ties)
    value = contests.value(where)
    for _step in range(_MOST_STEPS):
        slope, bend = contests.derivatives(where)
        step: Floats = np.linalg.solve(bend, slope).astype(np.float64)
        nearer, gained = contests.climbed(where, step, value)
        if gained - value < _NEAR_ENOUGH and np.abs(nearer - where).max() < _NEAR_ENOUGH**0.5:
            where = nearer
            break
        where, value = nearer, gained
    _slope, bend = contests.derivatives(where)
    covariance: Floats = np.linalg.inv(bend)[:number, :number].astype(np.float64)
    ties = float(np.exp(where[number])) if contests.has_ties else 0.0
    return Posterior(where[:number], covariance, ties)


class _Contests:
    """The logarithm of the posterior, and its derivatives; the last parameter is log nu."""

    def __init__(
        self,
        number: int,
        meetings: Mapping[tuple[int, int], Meetings],
        deviation: float = PRIOR_DEVIATION,
        ties_deviation: float = TIES_DEVIATION,
    ) -> None:
        import numpy as np

        pairs = sorted(meetings)
        self.number = number
        self.first = np.array([first for first, _second in pairs], dtype=np.intp)
        self.second = np.array([second for _first, second in pairs], dtype=np.intp)
        self.wins = np.array([meetings[pair].wins for pair in pairs], dtype=np.float64)
        self.losses = np.array([meetings[pair].losses for pair in pairs], dtype=np.float64)
        self.ties = np.array([meetings[pair].ties for pair in pairs], dtype=np.float64)
        self.all = self.wins + self.losses + self.ties
        self.has_ties = bool(self.ties.any())
        self.prior = np.array([deviation] * number + [ties_deviation] * self.has_ties) ** -2.0
        self.middle = np.array([0.0] * number + [np.log(TIES_MIDDLE)] * self.has_ties)

    def value(self, where: Floats) -> float:
        """Return the logarithm of the posterior, but for a constant."""
        import numpy as np

        halves, log_ties = self._halves(where)
        likelihood = (self.wins - self.losses) * halves - self.all * self._log_sum(halves, log_ties)
        if self.has_ties:
            likelihood = likelihood + self.ties * log_ties
        return float(likelihood.sum() - np.sum(self.prior * (where - self.middle) ** 2) / 2)

    def derivatives(self, where: Floats) -> tuple[Floats, Floats]:
        """Return the slope, and the bend (the negative second derivatives)."""
        import numpy as np

        halves, log_ties = self._halves(where)
        log_sum = self._log_sum(halves, log_ties)
        win, loss = np.exp(halves - log_sum), np.exp(-halves - log_sum)
        tie = np.exp(log_ties - log_sum)
        lead = win - loss
        slope, bend = self.prior * (self.middle - where), np.diag(self.prior)
        pull = (self.wins - self.losses - self.all * lead) / 2
        np.add.at(slope, self.first, pull)
        np.add.at(slope, self.second, -pull)
        stiff = self.all * (win + loss - lead**2) / 4
        for one, other, sign in _CORNERS:
            places = getattr(self, one), getattr(self, other)
            np.add.at(bend, places, sign * stiff)
        if self.has_ties:
            slope[-1] += (self.ties - self.all * tie).sum()
            bend[-1, -1] += (self.all * tie * (1 - tie)).sum()
            mixed = np.zeros(len(where))
            np.add.at(mixed, self.first, -self.all * lead * tie / 2)
            np.add.at(mixed, self.second, self.all * lead * tie / 2)
            bend[-1] += mixed
            bend[:, -1] += mixed
        return slope, bend

    def climbed(self, where: Floats, step: Floats, value: float) -> tuple[Floats, float]:
        """Return a place that is no worse, on the way of a step that may be too long."""
        for halving in range(50):
            place = where + step / 2**halving
            reached = self.value(place)
            if reached >= value:
                return place, reached
        return where, value

    def _halves(self, where: Floats) -> tuple[Floats, float]:
        strengths = where[: self.number]
        halves: Floats = (strengths[self.first] - strengths[self.second]) / 2
        return halves, float(where[-1]) if self.has_ties else float("-inf")

    def _log_sum(self, halves: Floats, log_ties: float) -> Floats:
        import numpy as np

        decided = np.logaddexp(halves, -halves)
        summed: Floats = np.logaddexp(decided, log_ties) if self.has_ties else decided
        return summed


_CORNERS = (
    ("first", "first", 1.0),
    ("second", "second", 1.0),
    ("first", "second", -1.0),
    ("second", "first", -1.0),
)


def information(lead: float, ties: float) -> float:
    """Return how much one more contest tells of a lead (Fisher's information, in 1 / logits²).

    Args:
        lead: how much stronger one is, in logits.
        ties: Davidson's nu.
    """
    import math

    win, loss, tie = math.exp(lead / 2), math.exp(-lead / 2), ties
    whole = win + loss + tie
    win, loss = win / whole, loss / whole
    return (win + loss - (win - loss) ** 2) / 4
