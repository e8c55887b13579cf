"""The slots of a kept suite that is to go on: the same models by content, or a sentence why not."""

from __future__ import annotations

import os
from dataclasses import replace

import msgspec

from comparator.comparison.request import Slot
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError, MultiLLMError
from comparator.core.lora import Adapter, adapter_of
from comparator.core.models import ModelConfig, ModelInfo, ModelType, told_apart
from comparator.core.text import with_controls_shown
from comparator.evaluation.configuration import DigestOf, configuration_of
from comparator.evaluation.new_suite import config_of, digests
from comparator.evaluation.suite_progress import pending_of
from comparator.library.labels import kind_line
from comparator.library.lookup import AdapterLookUp, LookUp
from comparator.storage.kept_suite import Cell, KeptSuite, SuiteSlot


def slots_of(
    kept: KeptSuite, look_up: LookUp | None = None, adapter: AdapterLookUp | None = None
) -> list[Slot]:
    """Return the slots of a suite as they can be asked now.

    One whose model is gone, or is another by content or settings than it was, has a ``refusal``
    that says so and what to do; the others can go on. Only slots that have something left to be
    asked are looked at. Reads files whose digests are not known: not for an event loop.

    Args:
        kept: the suite.
        look_up: returns the model of an id, a name or a path; None takes it from where it lay.
        adapter: the path of an adapter by its name; None takes paths alone.
    """
    pending = pending_of(kept)
    with digests() as digest_of:
        slots = [
            _slot(kept, slot, look_up, adapter, digest_of if number in pending else None)
            for number, slot in enumerate(kept.slots)
        ]
    models = told_apart(slot.model for slot in slots)
    return [replace(slot, model=model) for slot, model in zip(slots, models, strict=True)]


def with_failed_pending(kept: KeptSuite) -> KeptSuite:
    """Return a suite with those cells pending that could not be answered; all is judged anew."""
    cells = [Cell(*cell.key) if cell.state == "failed" else cell for cell in kept.cells]
    judge = {**kept.judge, "is_complete": False} if kept.judge else None
    return msgspec.structs.replace(kept, cells=cells, judge=judge)


def judge_slot(kept: KeptSuite, look_up: LookUp | None = None) -> Slot | None:
    """Return who judges a suite; None for nobody.

    Raises:
        ConfigurationError: its model is gone.
    """
    if kept.judge is None:
        return None
    told = SuiteSlot(kept.judge["model"], kept.judge["config"], "")
    try:
        return Slot(_model(told, look_up), config_of(told), str(kept.judge.get("label") or ""))
    except ModelNotFoundError as error:
        raise ConfigurationError(f"The judge cannot be asked. {error}") from error


def _slot(
    kept: KeptSuite,
    told: SuiteSlot,
    look_up: LookUp | None,
    adapter: AdapterLookUp | None,
    digest_of: DigestOf | None,
) -> Slot:
    slot = Slot(ModelInfo.from_record(told.model), ModelConfig())
    try:
        slot = replace(slot, config=config_of(told), sources=told.sources, notice=told.notice)
        if digest_of is None:
            return slot
        model = _model(told, look_up)
        slot = replace(slot, model=model, label=kind_line(model))
        if adapter is not None:
            paths = (Adapter(adapter(one.name), one.scale).as_text() for one in _adapters(slot))
            slot = replace(slot, lora=tuple(paths))
    except MultiLLMError as error:
        return replace(slot, refusal=_sentence(told, kept, str(error)))
    return replace(slot, refusal=_change(kept, told, slot, digest_of) or None)


def change_of(kept: KeptSuite, number: int, slot: Slot) -> str:
    """Return what has changed since a slot was first asked, in a sentence; empty for nothing.

    Reads files that have changed, and no others.
    """
    with digests() as digest_of:
        return _change(kept, kept.slots[number], slot, digest_of)


def _change(kept: KeptSuite, told: SuiteSlot, slot: Slot, digest_of: DigestOf) -> str:
    model = slot.model.to_record()
    found = configuration_of(model, told.config, digest_of, kept.batch, slot.adapters)
    if found == told.configuration:
        return ""
    what = f"the model at {slot.model.path}"
    if slot.adapters:
        what += ", or an adapter of it,"
    return _sentence(told, kept, f"{what} is another now than the one that was asked before")


def _adapters(slot: Slot) -> list[Adapter]:
    return [adapter_of(text) for text in slot.config.lora]


def _model(told: SuiteSlot, look_up: LookUp | None) -> ModelInfo:
    """Return the model of a slot by where it lay, else by its id.

    Raises:
        ModelNotFoundError: it is not there.
    """
    path, plain_id = str(told.model.get("path") or ""), str(told.model["id"]).partition("#")[0]
    if look_up is None:
        model = ModelInfo.from_record({**told.model, "id": plain_id})
        if model.model_type is not ModelType.CUSTOM and not os.path.exists(model.path):
            raise ModelNotFoundError(f"There is no model at {model.path}.")
        return model
    try:
        return look_up(path) if path else look_up(plain_id)
    except ModelNotFoundError:
        return look_up(plain_id)


def _sentence(told: SuiteSlot, kept: KeptSuite, why: str) -> str:
    label = with_controls_shown(told.label or str(told.model.get("name")))
    return (
        f"{label} is not asked on: {why.rstrip('.')}. Its finished answers stay. Bring back the "
        f"model as it was and resume {kept.id}, or ask the one of today in a new suite."
    )
