"""Ratings of the votes of one owner, as page and endpoint tell them; and the log of votes."""

from __future__ import annotations

from typing import Any

from comparator.evaluation.ratings import By, ratings_of
from comparator.hosting.voting import Voting
from comparator.storage.votes import Vote

Record = dict[str, Any]
BY: tuple[By, ...] = ("configuration", "model")
OF = ("all", "blind")
LARGEST_LOG_BYTES = 20_000_000  # that a page reads; the command line reads any


def rated(voting: Voting, owner: str, by: By = "configuration", of: str = "all") -> Record:
    """Return the ratings of an owner's votes. Takes a second the first time: not for the loop.

    Args:
        voting: where the votes are.
        owner: whose they are.
        by: what is rated.
        of: which votes count, of ``OF``.

    Raises:
        ConfigurationError: the votes are of more contenders than can be rated.
    """
    counted = voting.blind_votes(owner) if of == "blind" else voting.tallies(owner)
    return {**ratings_of(counted, by).to_record(), "of": of}


def told(vote: Vote) -> Record:
    """Return a vote as it is told: without its owner."""
    return {
        "id": vote.id,
        "created": vote.created,
        "comparison": vote.comparison,
        "answer": vote.winner,
        "names": list(vote.names),
        "configurations": list(vote.configurations),
        "is_blind": vote.is_blind,
    }


def log_of(voting: Voting, owner: str) -> str:
    """Return an owner's votes as FastChat's log."""
    return "stub"


def read_log(voting: Voting, text: str) -> int:
    return 0
