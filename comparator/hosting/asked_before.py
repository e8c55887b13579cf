"""From configurations that were voted on back to slots of the form, by what the history has."""

from __future__ import annotations

from collections.abc import Sequence

from comparator.comparison.turns import edited_turn
from comparator.core.exceptions import ConfigurationError
from comparator.hosting.requests import SlotDraft
from comparator.storage.history import History
from comparator.storage.votes import Vote

GONE = (
    "{} cannot be put into the form: the comparisons in which it was voted on are not in the "
    "history any more. Choose its model and settings by hand."
)


def slots_of(
    history: History, votes: Sequence[Vote], configurations: Sequence[str], owner: str
) -> list[SlotDraft]:
    """Return a slot for each configuration: its model's id, and the settings that were given.

    Args:
        history: where the comparisons are that were voted on.
        votes: the owner's.
        configurations: what is looked for.
        owner: whose history it is.

    Raises:
        ConfigurationError: a configuration is not among the votes, or its comparisons are gone.
    """
    return [_slot(history, votes, wanted, owner) for wanted in configurations]


def _slot(history: History, votes: Sequence[Vote], wanted: str, owner: str) -> SlotDraft:
    name = ""
    for vote in sorted(votes, key=lambda vote: vote.created, reverse=True):
        if wanted not in vote.configurations:
            continue
        place = list(vote.configurations).index(wanted)
        name = name or vote.names[place]
        kept = history.get(vote.comparison, owner) if vote.comparison else None
        if kept is None or place >= len(kept.records):
            continue
        asked = {turn.column: turn for turn in edited_turn(kept, "…").turns}.get(place)
        if asked is not None:
            return SlotDraft(str(asked.model.get("id")).partition("#")[0], asked.settings)
    raise ConfigurationError(GONE.format(name or "This configuration"))
