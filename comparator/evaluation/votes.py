"""A vote on a kept comparison: which answer was best, and of which configurations that tells."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.configuration import (
    DigestOf,
    adapters_of,
    configuration_of,
    content_of,
)
from comparator.library.lookup import AdapterLookUp
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.names import new_id
from comparator.storage.votes import BOTH_BAD, LETTERS, TIE, Vote

_WHOLE = ("stop", "length")  # how an answer ends that can be judged
FEWEST = 2
Record = Mapping[str, Any]


def vote_on(
    kept: KeptComparison,
    answer: str,
    digest_of: DigestOf,
    positions: Sequence[int] = (),
    is_blind: bool = False,
    owner: str = "",
    adapter: AdapterLookUp | None = None,
) -> Vote:
    """Return a vote on a comparison, ready to be kept by ``Votes.add``.

    Columns that failed or were stopped have no part in it: a vote is of answers, and what broke
    is told by the history.

    Args:
        kept: as the history has it; a vote on what is gone cannot be made.
        answer: ``A`` to ``D``, the column as the comparison has it (its first is ``A``, wherever
            it was shown); ``tie``; or ``both_bad``, where none was good.
        digest_of: tells the SHA-256 of a file (``Digests.of``).
        positions: where each column of the comparison was shown, 0 for the first place; empty
            where nobody noted it.
        is_blind: whether the models' names were hidden.
        owner: the browser session on a public page; empty for one's own.
        adapter: the path of an adapter by its name in the library; None takes paths alone.

    Raises:
        ConfigurationError: there is no such column, it did not answer, fewer than two did, or all
            that did are one configuration.
    """
    whole = whole_columns(kept)
    winner = _winner(answer, len(kept.records), whole)
    if len(whole) < FEWEST:
        raise ConfigurationError(
            f"Of this comparison {_columns_in_words(whole)}, and a vote takes two answers. "
            "Ask again, or vote on another comparison."
        )
    records = [kept.records[place] for place in whole]
    configurations = [_configuration(record, digest_of, adapter) for record in records]
    if len(set(configurations)) < FEWEST:
        raise ConfigurationError(
            "All answers of this comparison are of one model with one set of settings, so a vote "
            "tells nothing. Compare two models, or one with other settings."
        )
    return Vote(
        id=new_id(),
        created=time.time(),
        owner=owner,
        comparison=kept.id,
        configurations=configurations,
        names=[str(record["model"].get("name") or "") for record in records],
        models=[model_key(record["model"], digest_of) for record in records],
        winner=winner,
        positions=_positions(positions, len(kept.records), whole),
        is_blind=is_blind,
    )


def _configuration(record: Record, digest_of: DigestOf, adapter: AdapterLookUp | None) -> str:
    config, batch = record["config"], record.get("batch", 1)
    lora = adapters_of(config, adapter)
    return configuration_of(record["model"], config, digest_of, batch, lora)


def model_key(model: Record, digest_of: DigestOf) -> str:
    """Return what names a model by content, whatever its settings: a SHA-256."""
    text = json.dumps(content_of(model, digest_of), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def whole_columns(kept: KeptComparison) -> list[int]:
    """Return the columns that a vote is on: those whose answer came to an end."""
    return [place for place, record in enumerate(kept.records) if _is_whole(record)]


def conversations_of(vote: Vote, kept: KeptComparison | None) -> list[list[tuple[str, str]]]:
    """Return what each column of a vote was asked and answered, as (role, text) pairs.

    Args:
        vote: on a comparison.
        kept: that comparison, None where the history has it no longer; the list is empty then.
    """
    records = [kept.records[place] for place in whole_columns(kept)] if kept else []
    if len(records) != len(vote.names):
        return []
    return [
        [
            *((one["role"], one["content"]) for one in record["prompt"]["messages"]),
            ("assistant", record["content"]),
        ]
        for record in records
    ]


def _is_whole(record: Record) -> bool:
    """Return whether a column has an answer that came to its end, or to its limit of tokens."""
    reason = (record.get("stats") or {}).get("finish_reason")
    return bool(record.get("is_complete")) and not record.get("error") and reason in _WHOLE


def _winner(answer: str, columns: int, whole: Sequence[int]) -> str:
    """Return the winner among the columns that answered, ``A`` for the first of these.

    Raises:
        ConfigurationError: it is none of these.
    """
    wanted = answer.strip()
    if wanted.lower() in (TIE, BOTH_BAD):
        return wanted.lower()
    place = LETTERS.find(wanted.upper()) if len(wanted) == 1 else -1
    if not 0 <= place < columns:
        letters = ", ".join(LETTERS[:columns])
        raise ConfigurationError(
            f"A vote on this comparison is {letters}, {TIE} or {BOTH_BAD}, not {answer[:40]!r}."
        )
    if place not in whole:
        raise ConfigurationError(
            f"Column {LETTERS[place]} failed or was stopped, so it has no whole answer to vote "
            "for. Choose another column, or ask again."
        )
    return LETTERS[whole.index(place)]


def _columns_in_words(whole: Sequence[int]) -> str:
    if not whole:
        return "no column has a whole answer"
    return f"only column {LETTERS[whole[0]]} has a whole answer"


def _positions(positions: Sequence[int], columns: int, whole: Sequence[int]) -> list[int]:
    """Return where the columns of the vote were shown.

    Raises:
        ConfigurationError: they are no order of the comparison's columns.
    """
    if not positions:
        return []
    if sorted(positions) != list(range(columns)):
        raise ConfigurationError(
            f"Positions are the numbers 0 to {columns - 1}, one for each column, in some order."
        )
    return [positions[place] for place in whole]
