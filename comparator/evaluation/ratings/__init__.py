"""Ratings from votes: how good each configuration is, and how sure that is.

A Bradley-Terry model with ties and a prior, so that few votes give wide intervals instead of
infinities. docs/ratings.md has the formulas and where they are from.
"""

from __future__ import annotations

from comparator.evaluation.ratings.contests import By as By
from comparator.evaluation.ratings.ratings import RatedPair as RatedPair
from comparator.evaluation.ratings.ratings import Rating as Rating
from comparator.evaluation.ratings.ratings import Ratings as Ratings
from comparator.evaluation.ratings.ratings import ratings_of as ratings_of
