"""Whether the place where an answer was shown has won votes: a habit that ratings would hold."""

from __future__ import annotations

from comparator.evaluation.statistics.rates import exact
from comparator.storage.votes import Votes


def habit_note(votes: Votes, owner: str = "") -> str:
    """Say how often the answer in the first place won, where that is more or less than chance.

    Args:
        votes: where they are kept.
        owner: whose.

    Returns:
        a sentence; empty where the exact 95 % interval has one half in it.
    """
    first, decided = votes.first_places(owner)
    if not decided:
        return ""
    low, high = exact(first, decided)
    if low <= 0.5 <= high:
        return ""
    return (
        f"Of {decided:,} votes for one of two answers {first:,} went to the one that was shown "
        f"first ({100 * first / decided:.0f} %, {100 * low:.0f} to {100 * high:.0f}): that is a "
        "habit rather than chance. Blind votes with balanced places keep it out of the ratings."
    )
