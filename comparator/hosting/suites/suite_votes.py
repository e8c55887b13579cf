"""Votes on a suite's answers: those to one prompt, as a blind comparison of the history."""

from __future__ import annotations

import hashlib
import random
import threading
import time

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.votes import FEWEST
from comparator.hosting.host import Host
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.kept_suite import Cell, KeptSuite

TOO_FEW = (
    "A blind vote needs the whole answers of two models to this prompt. Wait until they are there, "
    "or choose another prompt."
)
NO_HISTORY = (
    "The history is off, so there is nothing to vote on: a vote is of a comparison that is kept. "
    "Start the page without --no-history."
)
_draw = random.SystemRandom()
_making = threading.Lock()  # two that ask at once see the same order, and vote on what they see


def comparison_of(
    host: Host, kept: KeptSuite, place: tuple[int, int], owner: str, is_known: bool = False
) -> KeptComparison:
    """Return a prompt's answers as a comparison that is in the history, its names hidden.

    Whoever asks again for the same gets the same, as it was left. Not for the loop.

    Args:
        host: whose history has it.
        kept: the suite.
        place: the numbers of prompt and repeat.
        owner: whose suite and comparison it is.
        is_known: whether the voter knows who answered what, so that nothing is to be hidden.

    Raises:
        ConfigurationError: there are not two answers, or the history is off.
    """
    name = _name(kept.id, place, owner)
    with _making:
        earlier = host.history.get(name, owner)
        return earlier or _made(host, kept, place, owner, name, is_known)


def _made(
    host: Host, kept: KeptSuite, place: tuple[int, int], owner: str, name: str, is_known: bool
) -> KeptComparison:
    """Put the answers into the history in an order that is drawn."""
    if not host.history.is_on:
        raise ConfigurationError(NO_HISTORY)
    cells = [cell for cell in kept.cells if (cell.prompt, cell.repeat) == place]
    answered = [cell for cell in cells if cell.state == "done" and cell.record]
    if len(answered) < FEWEST:
        raise ConfigurationError(TOO_FEW)
    _draw.shuffle(answered)
    records = [_record(kept, cell, name) for cell in answered]
    comparison = KeptComparison(id=name, created=time.time(), owner=owner, records=records)
    if not is_known:
        host.voting.seal([name])
    if not host.history.add(comparison):
        host.voting.unseal([name])
        raise ConfigurationError(host.history.trouble or NO_HISTORY)
    return comparison


def _name(suite: str, place: tuple[int, int], owner: str) -> str:
    told = f"{suite}:{place}:{owner}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _record(kept: KeptSuite, cell: Cell, comparison: str) -> dict[str, object]:
    """Return an answer's record, with what the batch was asked to be: so its slot is named too."""
    return {**(cell.record or {}), "comparison": comparison, "batch": kept.batch}
