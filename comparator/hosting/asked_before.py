"""From configurations that were voted on back to slots of the form, by what the history has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from comparator.comparison.turns import edited_turn
from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.configuration import NOT_OF_IT
from comparator.hosting.requests import SlotDraft
from comparator.storage.history import History
from comparator.storage.votes import Vote

USUAL = "as by default"
_LONGEST_WORDS = 120  # characters
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


def apart(
    history: History, votes: Sequence[Vote], configurations: Sequence[str], owner: str
) -> list[str]:
    """Return by which settings configurations of one name differ, in words, such as ``top_k 3``.

    Empty for one of which the history knows nothing any more.
    """
    known = [_settings(history, votes, one, owner) for one in configurations]
    names = sorted({name for settings in known for name in settings or ()})
    differing = [
        name
        for name in names
        if len({json.dumps((settings or {}).get(name)) for settings in known}) > 1
    ]
    return [_in_words(settings, differing) if settings is not None else "" for settings in known]


def _in_words(settings: Mapping[str, Any], differing: Sequence[str]) -> str:
    told = [
        f"{name} {json.dumps(settings[name], ensure_ascii=False)}"
        for name in differing
        if name in settings
    ]
    return ", ".join(told)[:_LONGEST_WORDS] or USUAL


def _settings(
    history: History, votes: Sequence[Vote], configuration: str, owner: str
) -> Mapping[str, Any] | None:
    try:
        settings = _slot(history, votes, configuration, owner).settings
    except ConfigurationError:
        return None
    return {name: value for name, value in settings.items() if name not in NOT_OF_IT}


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
