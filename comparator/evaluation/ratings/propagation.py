"""Expectation propagation: what is known of strengths, with the skew that few votes leave.

Where one has won everything the likeliest lead lies well below the mean one, and Laplace's
approximation is too sure. Here what each two contenders' votes tell is replaced by the normal
distribution that gives the right mean and variance beside all the others (Minka, UAI 2001), as
choix does for single votes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from comparator.evaluation.ratings.contests import Meetings
from comparator.evaluation.ratings.fit import PRIOR_DEVIATION, Posterior, likeliest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_PAIRS = 1_000  # that met; with more, each of the contenders has many votes or little hope
_MOST_ROUNDS = 100
_NEAR_ENOUGH = 1e-5  # deviations
_DAMPING = 0.8
_MOST_STEPS_TO_MODE = 100
_NEAR_MODE = 0.1  # deviations: it is only where a grid is laid
_GRID = 321
_GRID_REACH = 16.0  # deviations at the mode; its tails are no narrower than that of the others


def posterior_of(number: int, meetings: Mapping[tuple[int, int], Meetings]) -> Posterior:
    """Return what is known of the contenders' strengths.

    How easily ties come is taken as its likeliest. With very many pairs, and should the rounds
    not come to rest, it is Laplace's approximation.

    Args:
        number: of contenders.
        meetings: how they fared, by their numbers.
    """
    first = likeliest(number, meetings)
    if len(meetings) > MOST_PAIRS:
        return first
    return _Propagation(number, meetings, first.ties).run(first)


class _Propagation:
    """A normal factor for each pair: ``precisions`` of its lead, ``pulls`` (times its mean)."""

    def __init__(
        self, number: int, meetings: Mapping[tuple[int, int], Meetings], ties: float
    ) -> None:
        import numpy as np

        pairs = sorted(meetings)
        self.number, self.ties = number, ties
        self.first = np.array([first for first, _second in pairs], dtype=np.intp)
        self.second = np.array([second for _first, second in pairs], dtype=np.intp)
        found = [meetings[pair] for pair in pairs]
        self.lead = np.array([one.wins - one.losses for one in found], dtype=np.float64)
        self.all = np.array([one.wins + one.losses + one.ties for one in found], dtype=np.float64)
        self.precisions: Floats = np.zeros(len(pairs))
        self.pulls: Floats = np.zeros(len(pairs))

    def run(self, fallback: Posterior) -> Posterior:
        """Return the posterior where the factors come to rest; the one given if they do not."""
        import numpy as np

        means, covariance = self._posterior()
        for _round in range(_MOST_ROUNDS):
            if not self._is_sound(covariance):
                break
            self._update(means, covariance)
            before = means
            means, covariance = self._posterior()
            rest = _NEAR_ENOUGH**2 * np.diag(covariance)
            if self._is_sound(covariance) and np.all((means - before) ** 2 < rest):
                return replace(fallback, means=means, covariance=covariance)
        return fallback

    def _is_sound(self, covariance: Floats) -> bool:
        """Return whether rounding has left every lead a variance: huge counts may take it."""
        import numpy as np

        return bool(np.all(self._variances(covariance) > 0) and np.all(np.diag(covariance) > 0))

    def _variances(self, covariance: Floats) -> Floats:
        found: Floats = (
            covariance[self.first, self.first]
            + covariance[self.second, self.second]
            - 2 * covariance[self.first, self.second]
        )
        return found

    def _posterior(self) -> tuple[Floats, Floats]:
        import numpy as np

        precision = np.eye(self.number) / PRIOR_DEVIATION**2
        np.add.at(precision, (self.first, self.first), self.precisions)
        np.add.at(precision, (self.second, self.second), self.precisions)
        np.add.at(precision, (self.first, self.second), -self.precisions)
        np.add.at(precision, (self.second, self.first), -self.precisions)
        pull = np.zeros(self.number)
        np.add.at(pull, self.first, self.pulls)
        np.add.at(pull, self.second, -self.pulls)
        covariance: Floats = np.linalg.inv(precision).astype(np.float64)
        return covariance @ pull, covariance

    def _update(self, means: Floats, covariance: Floats) -> None:
        """Give each factor what makes the mean and variance of its lead right."""
        import numpy as np

        mean = means[self.first] - means[self.second]
        variance = self._variances(covariance)
        # Without the factor itself; the prior alone leaves as much, whatever the rounding.
        others = np.maximum(1 / variance - self.precisions, 0.5 / PRIOR_DEVIATION**2)
        others_pull = mean / variance - self.pulls
        right_mean, right_variance = self._moments(others_pull / others, 1 / others)
        wanted = np.maximum(1 / right_variance - others, 0.0)  # votes never make less known
        self.precisions += _DAMPING * (wanted - self.precisions)
        self.pulls += _DAMPING * (right_mean / right_variance - others_pull - self.pulls)

    def _moments(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance of each lead by what the others tell and its own votes."""
        import numpy as np

        middle, spread = self._mode(mean, variance)
        steps = np.linspace(-_GRID_REACH, _GRID_REACH, _GRID)
        places = middle[:, None] + spread[:, None] * steps
        logarithm = self._votes(places) - (places - mean[:, None]) ** 2 / (2 * variance[:, None])
        weights = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        found = (weights * places).sum(axis=1)
        return found, (weights * (places - found[:, None]) ** 2).sum(axis=1)

    def _votes(self, places: Floats) -> Floats:
        """Return the logarithm of how likely the votes of each pair are at some leads."""
        import numpy as np

        whole = np.logaddexp(places / 2, -places / 2)
        if self.ties:
            whole = np.logaddexp(whole, np.log(self.ties))
        told: Floats = self.lead[:, None] * places / 2 - self.all[:, None] * whole
        return told

    def _mode(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Return about the likeliest leads, and the deviations there: where a grid is laid."""
        import numpy as np

        reach = variance * (np.abs(self.lead) + self.all) + 1.0
        low, high, middle, last = mean - reach, mean + reach, mean, 2 * reach
        for _step in range(_MOST_STEPS_TO_MODE):
            slope, bend = self._slopes(middle, mean, variance)
            if np.all(np.abs(slope) < _NEAR_MODE * np.sqrt(bend)):
                break
            low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
            newton = middle + slope / bend
            # Where votes contradict the others, Newton's steps may go to and fro for ever.
            is_good = (newton > low) & (newton < high) & (np.abs(newton - middle) < last / 2)
            following = np.where(is_good, newton, (low + high) / 2)
            middle, last = following, np.abs(following - middle)
        return middle, self._slopes(middle, mean, variance)[1] ** -0.5

    def _slopes(self, place: Floats, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        import numpy as np

        whole = np.logaddexp(place / 2, -place / 2)
        if self.ties:
            whole = np.logaddexp(whole, np.log(self.ties))
        win, loss = np.exp(place / 2 - whole), np.exp(-place / 2 - whole)
        slope = (self.lead - self.all * (win - loss)) / 2 - (place - mean) / variance
        bend = self.all * (win + loss - (win - loss) ** 2) / 4 + 1 / variance
        return slope, bend
