"""Asking a kept comparison once more, by everything that its records tell of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from comparator.comparison.kept import KeptComparison, Record
from comparator.comparison.request import Request
from comparator.comparison.turns import Turn, Turns, asked
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo
from comparator.hosting.turn_requests import MakeRequest, request_of_turns

_SETTINGS = asdict(ModelConfig())


def rerun_of(
    earlier: KeptComparison, look_up: Callable[[Turn], ModelInfo], make: MakeRequest
) -> Request:
    """Return the request that asks what a kept comparison asked, with the same seeds and date.

    A model that is gone is left out, and files that are others now are named: the request's
    notices say so.

    Args:
        earlier: the comparison.
        look_up: returns the model of a column.
        make: as ``request_of_turns`` has it.

    Raises:
        ConfigurationError: none of the models is there, or there are no columns.
    """
    if not earlier.records:
        raise ConfigurationError(f"The comparison {earlier.id} has no columns to ask again.")
    turns = Turns(
        earlier.id,
        tuple(_as_it_was(column, record) for column, record in enumerate(earlier.records)),
        together=earlier.together,
        files=earlier.files,
        date=earlier.date or _date_told(earlier.records),
    )
    request, there = request_of_turns(turns, look_up, make)
    sources = [earlier.records[turn.column].get("config_sources") or {} for turn in there.turns]
    slots = [
        replace(slot, sources={**slot.sources, **then})
        for slot, then in zip(request.slots, sources, strict=True)
    ]
    return replace(request, slots=slots)


def _as_it_was(column: int, record: Record) -> Turn:
    """Return what a column was asked, with every value that was sent, its seed included."""
    sent = record.get("config") or {}
    settings = {name: sent[name] for name in _SETTINGS if name in sent}
    return Turn(column, dict(record.get("model") or {}), settings, asked(record))


def _date_told(records: Sequence[Record]) -> str | None:
    told = ((record.get("prompt") or {}).get("date") for record in records)
    return next((date for date in told if date), None)
