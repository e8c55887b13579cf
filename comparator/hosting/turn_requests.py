"""A further turn of a kept comparison as the engine's request, for page and command line alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from comparator.comparison import turns as of_turns
from comparator.comparison.request import Request
from comparator.comparison.turns import Turn, Turns
from comparator.core.exceptions import ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.hosting.requests import LookUp, RequestDraft, SlotDraft

MakeRequest = Callable[[RequestDraft, LookUp], Request]


def request_of_turns(
    turns: Turns, look_up: Callable[[Turn], ModelInfo], make: MakeRequest
) -> tuple[Request, Turns]:
    """Return the request that asks what turns say, and the turns that it asks.

    Whose model is gone is left out, and these turns say why.

    Args:
        turns: who is asked what.
        look_up: returns the model of a turn.
        make: makes the request of a draft, whose slots are named by numbers that only the look-up
            given beside it knows.

    Raises:
        ConfigurationError: none of the models is there, or a setting or a conversation is refused.
    """
    there, models = of_turns.present(turns, look_up)
    numbered = {str(number): model for number, model in enumerate(models)}
    request = of_turns.as_turns(make(draft_of(there), numbered.__getitem__), there)
    return request, there


def draft_of(turns: Turns) -> RequestDraft:
    """Return the draft of turns: their longest conversation, and a slot for each, by its number.

    A system message is each slot's own, so it is not in what all are asked.
    """
    longest = max(
        (turn.conversation for turn in turns.turns), key=lambda asked: len(asked.as_text())
    )
    longest = replace(longest, messages=longest.turns)
    slots = [SlotDraft(str(number), turn.settings) for number, turn in enumerate(turns.turns)]
    return RequestDraft(longest, slots, together=turns.together, given=frozenset())


def by_id(look_up: LookUp) -> Callable[[Turn], ModelInfo]:
    """Return the look-up of turns by the ids of their models alone, for visitors."""
    return lambda turn: look_up(_plain_id(turn))


def by_place(look_up: LookUp) -> Callable[[Turn], ModelInfo]:
    """Return the look-up of turns by where their models lay, else by their ids."""

    def find(turn: Turn) -> ModelInfo:
        path = str(turn.model.get("path") or "")
        try:
            return look_up(path) if path else look_up(_plain_id(turn))
        except ModelNotFoundError:
            return look_up(_plain_id(turn))

    return find


def _plain_id(turn: Turn) -> str:
    return str(turn.model.get("id") or "").partition("#")[0]
