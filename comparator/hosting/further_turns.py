"""What the columns of a comparison are asked next, as a request; who can be asked, and who not.

A model that was removed meanwhile leaves its column with a sentence, and the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from comparator.comparison.request import Files, Request, Slot
from comparator.comparison.turns import Turn, Turns
from comparator.core.exceptions import ModelNotFoundError, MultiLLMError
from comparator.core.models import ModelInfo, told_apart
from comparator.hosting.requests import (
    AdapterLookUp,
    LookUp,
    RequestDraft,
    SlotDraft,
    with_adapters,
)
from comparator.services.inference_engine import InferenceEngine


@dataclass(frozen=True)
class FurtherTurns:
    """Turns that can be asked.

    Attributes:
        request: what is asked.
        columns: which columns of the comparison its slots are, in their order.
        left_out: why another column is not asked, by its place counted from 0.
    """

    request: Request
    columns: tuple[int, ...]
    left_out: Mapping[int, str]


def further_turns(
    turns: Turns, engine: InferenceEngine, look_up: LookUp, adapter: AdapterLookUp
) -> FurtherTurns:
    """Return the request of turns.

    Args:
        turns: what each column is asked.
        engine: what is to run it.
        look_up: returns the model of an id.
        adapter: likewise for the path of an adapter.

    Raises:
        MultiLLMError: no column can be asked, or what is asked is wrong.
    """
    found, left_out = _models(turns, look_up)
    asked = [turn for turn in turns.turns if turn.column in found]
    if not asked:
        raise ModelNotFoundError(" ".join(dict.fromkeys(left_out.values())))
    models = told_apart(found[turn.column] for turn in asked)
    names = [model.id for model in models]
    request = engine.request(
        asked[0].conversation.question,
        models,
        dict(zip(names, (turn.config for turn in asked), strict=True)),
        together=turns.together,
        date=turns.date,
        given=dict(zip(names, (turn.given for turn in asked), strict=True)),
    )
    slots = [_slot(slot, turn) for slot, turn in zip(request.slots, asked, strict=True)]
    whole = replace(request, slots=slots, files=Files(turns.files), parent=turns.parent)
    columns = tuple(turn.column for turn in asked)
    return FurtherTurns(with_adapters(whole, adapter), columns, left_out)


def drafts_of(turns: Turns) -> list[RequestDraft]:
    """Return each turn as a draft of its own, for those who check what visitors may ask."""
    return [
        RequestDraft(
            turn.conversation.without_answer().messages,
            [SlotDraft(_id_of(turn), asdict(turn.config))],
        )
        for turn in turns.turns
    ]


def _models(turns: Turns, look_up: LookUp) -> tuple[dict[int, ModelInfo], dict[int, str]]:
    found: dict[int, ModelInfo] = {}
    left_out = dict(turns.left_out)
    for turn in turns.turns:
        try:
            found[turn.column] = look_up(_id_of(turn))
        except ModelNotFoundError:
            left_out[turn.column] = (
                f"{turn.model.get('name') or _id_of(turn)} is not asked: it is not there any more. "
                "Put it back where it was, or ask other models."
            )
        except MultiLLMError as error:
            left_out[turn.column] = str(error)
    return found, left_out


def _slot(slot: Slot, turn: Turn) -> Slot:
    notice = " ".join(filter(None, (slot.notice, turn.notice)))
    return replace(slot, conversation=turn.conversation, notice=notice)


def _id_of(turn: Turn) -> str:
    """Return the id under which a model is in the library; the second of two is ``id#2``."""
    return str(turn.model.get("id") or "").partition("#")[0]
