"""Ratings of the votes of one owner, as page and endpoint tell them; and the log of votes."""

from __future__ import annotations

import io
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.ratings import By, ratings_of
from comparator.evaluation.ratings.fastchat import Log, lines_of, votes_of
from comparator.hosting.voting import Voting
from comparator.storage.history import History
from comparator.storage.votes import Vote

Record = dict[str, Any]
BY: tuple[By, ...] = ("configuration", "model")
OF = ("all", "blind")
LARGEST_LOG_BYTES = 10_000_000  # that a page reads; the command line reads any
MOST_WRITTEN = 20_000  # votes in one answer to a browser


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
    counted = voting.tallies(owner, only_blind=of == "blind")
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


def log_of(voting: Voting, history: History, owner: str) -> str:
    """Return an owner's votes as FastChat's log, with what was said where the history has it.

    Raises:
        ConfigurationError: there are more than a page hands out.
    """
    if voting.count(owner) > MOST_WRITTEN:
        raise ConfigurationError(
            f"These are more than {MOST_WRITTEN:,} votes. Write them on the command line: "
            "comparator ratings export."
        )
    lines = lines_of(voting.votes(owner), lambda vote: _messages(history, vote, owner))
    return "".join(f"{line}\n" for line in lines)


def _messages(history: History, vote: Vote, owner: str) -> list[list[tuple[str, str]]]:
    kept = history.get(vote.comparison, owner) if vote.comparison else None
    if kept is None or any(place >= len(kept.records) for place in vote.positions):
        return []
    return [_said(kept.records[place]) for place in vote.positions]


def _said(record: Record) -> list[tuple[str, str]]:
    asked = [(one["role"], one["content"]) for one in record["prompt"]["messages"]]
    return [*asked, ("assistant", str(record.get("content") or ""))]


def read_log(voting: Voting, text: str) -> tuple[int, str]:
    """Take in the votes of a log as one's own.

    Returns:
        how many are new, and in a sentence what was left out; empty where nothing was.

    Raises:
        ConfigurationError: it has no vote, is too long, of too many models, or cannot be kept.
    """
    data, log = text.encode("utf-8", "replace"), Log()
    if len(data) > LARGEST_LOG_BYTES:
        raise ConfigurationError(
            f"The log is larger than {LARGEST_LOG_BYTES:,} bytes. Read it on the command line: "
            "comparator ratings import FILE."
        )
    votes = list(votes_of(io.BytesIO(data), log))
    if not votes:
        raise ConfigurationError(
            f"The file has no vote of two models. {log.sentence()} It should be a vote log of "
            "FastChat, a JSON object on each line."
        )
    return voting.take_in(votes), log.sentence()
