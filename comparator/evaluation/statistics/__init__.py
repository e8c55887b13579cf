"""What the figures of a suite can tell, and what they cannot: rates, differences, intervals.

Every figure comes with its interval, and "not enough to tell" is an answer. docs/statistics.md
has the formulas and where they are from.
"""

from __future__ import annotations

from comparator.evaluation.statistics.pairs import pairs_of as pairs_of
from comparator.evaluation.statistics.summary import summary_of as summary_of
