"""Asking a kept comparison once more, by everything that its records tell of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from comparator.comparison.request import Files, Request, Slot
from comparator.core.conversation import Conversation, Message
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError, MultiLLMError
from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.hosting.requests import LookUp, RequestDraft, SlotDraft
from comparator.storage.kept_comparison import KeptComparison, Record


def draft_of(earlier: KeptComparison) -> RequestDraft:
    """Return what a kept comparison asked, with every setting that was sent, its seed included.

    Raises:
        ConfigurationError: it has no columns.
    """
    if not earlier.records:
        raise ConfigurationError(f"The comparison {earlier.id} has no columns to ask again.")
    slots = [SlotDraft(_plain_id(one), dict(one["config"])) for one in earlier.records]
    prompt = [one for one in earlier.records[0]["prompt"]["messages"]]
    while prompt and prompt[-1]["role"] != "user":  # an answer that was to be continued
        prompt.pop()
    return RequestDraft(
        prompt, slots, together=earlier.together, files=Files(earlier.files), given=frozenset()
    )


def as_kept(request: Request, earlier: KeptComparison) -> Request:
    """Return the request of a kept comparison's draft with what no draft can say.

    That is what each column alone was asked, where its settings came from, what chat templates
    were told of the time, and a notice where a model's files are others now.
    """
    slots = [
        _as_kept(slot, record) for slot, record in zip(request.slots, earlier.records, strict=True)
    ]
    told = [record["prompt"].get("date") for record in earlier.records]
    date = earlier.date or next(filter(None, told), None) or request.date
    return replace(request, slots=slots, date=date, parent=earlier.id)


def refuse_gone(earlier: KeptComparison, look_up: LookUp) -> None:
    """Refuse where models of a kept comparison are not there any more.

    Raises:
        ModelNotFoundError: names all of them.
    """
    gone = [_name(record) for record in earlier.records if not _is_there(record, look_up)]
    if gone:
        names = ", ".join(dict.fromkeys(gone))
        raise ModelNotFoundError(
            f"Not asked again, since a model is gone: {names}. Put it back where it was, or ask "
            "the question of other models."
        )


def _is_there(record: Record, look_up: LookUp) -> bool:
    try:
        look_up(_plain_id(record))
    except MultiLLMError:
        return False
    return True


def _as_kept(slot: Slot, record: Record) -> Slot:
    messages = tuple(Message(one["role"], one["content"]) for one in record["prompt"]["messages"])
    notice = " ".join(filter(None, (slot.notice, _changed(slot.model, record))))
    sources = record.get("config_sources") or slot.sources
    conversation = Conversation(messages) if messages else None
    return replace(slot, conversation=conversation, sources=sources, notice=notice)


def _changed(model: ModelInfo, record: Record) -> str:
    then = int(record["model"].get("size") or 0)
    if not then or then == model.size:
        return ""
    return (
        f"The files of {_name(record)} have changed since it was asked before: {fine_size(then)} "
        f"then, {fine_size(model.size)} now."
    )


def _plain_id(record: Record) -> str:
    return str(record["model"]["id"]).partition("#")[0]


def _name(record: Record) -> str:
    model: dict[str, Any] = record["model"]
    return with_controls_shown(str(model.get("name") or model["id"]))
