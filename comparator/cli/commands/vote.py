"""``comparator vote``."""

from __future__ import annotations

from typing import Annotated

import typer

from comparator.cli.commands.options import look_ups_in
from comparator.cli.commands.show import Name
from comparator.cli.display.kept import from_history
from comparator.cli.errors import FAILED, tell
from comparator.core.text import name_shown
from comparator.evaluation.votes import vote_on
from comparator.storage.digests import Digests
from comparator.storage.history import History
from comparator.storage.votes import BOTH_BAD, LETTERS, TIE, Vote, Votes

Answer = Annotated[
    str,
    typer.Argument(
        metavar="A|B|C|D|tie|both_bad",
        help="The best column, A for the first one; tie; or both_bad where none was good.",
    ),
]


def command(comparison: Name, answer: Answer) -> int:
    """Say which answer of a comparison was best; ratings are made of it."""
    history, digests, votes = History(), Digests(), Votes()
    try:
        kept = from_history(history, comparison)
        adapter = look_ups_in(None, None)[1]  # asked where a column has an adapter, not else
        vote = vote_on(kept, answer, digests.of, adapter=adapter)
        earlier = votes.of(kept.id)
        if not votes.add(vote):
            tell(votes.trouble)
            return FAILED
    finally:
        for store in (history, digests, votes):
            store.close()
    print(_in_words(vote))
    if earlier is not None:
        print(f"It takes the place of your earlier vote: {_said(earlier)}.")
    left_out = len(kept.records) - len(vote.names)
    if left_out:
        print(f"Columns without a whole answer have no part in it: {left_out}.")
    return 0


def _in_words(vote: Vote) -> str:
    names = [name_shown(name) for name in vote.names]
    return f"Kept for {vote.comparison}: of {', '.join(names)}, {_said(vote)}."


def _said(vote: Vote) -> str:
    if vote.winner == TIE:
        return "none is better (tie)"
    if vote.winner == BOTH_BAD:
        return "none is good (both_bad)"
    return f"{name_shown(vote.names[LETTERS.index(vote.winner)])} is the best"
