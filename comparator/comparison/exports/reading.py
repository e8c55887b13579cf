"""From a kept record back to the result that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from comparator.comparison.kept import KeptComparison
from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    PromptReport,
    RunState,
    Thinking,
)

Record = Mapping[str, Any]


def results_of(kept: KeptComparison) -> list[InferenceResult]:
    """Return the results of a kept comparison, one a column."""
    return [result_of(record) for record in kept.records]


def result_of(record: Record) -> InferenceResult:
    """Return the result that a record tells of; what it lacks is as in a run that never began."""
    model = _model_of(record.get("model") or {})
    thinking = record.get("thinking")
    return InferenceResult(
        model_id=str((record.get("model") or {}).get("id") or ""),
        content=record.get("content") or "",
        is_complete=bool(record.get("is_complete", True)),
        error=record.get("error"),
        stats=_known(InferenceStats, {"start_time": 0.0, **(record.get("stats") or {})}),
        error_kind=record.get("error_kind"),
        state=_state_of(record),
        model=model,
        config=dict(record.get("config") or {}),
        config_sources=dict(record.get("config_sources") or {}),
        prompt=_known(PromptReport, record.get("prompt") or {}),
        engine=dict(record.get("engine") or {}),
        receipt=dict(record.get("receipt") or {}),
        log_tail=record.get("log_tail") or "",
        notice=record.get("notice"),
        thinking=_known(Thinking, thinking) if thinking else None,
    )


def _known(kind: type[Any], values: Record) -> Any:
    """Make a value of the fields that it has today; what an older or newer record adds is left."""
    names = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})


def _model_of(model: Record) -> ModelInfo | None:
    if "name" not in model:
        return None
    kinds = {kind.value: kind for kind in ModelType}
    return ModelInfo(
        id=str(model.get("id") or ""),
        name=str(model["name"]),
        path=str(model.get("path") or model.get("file") or ""),
        model_type=kinds.get(str(model.get("model_type")), ModelType.CUSTOM),
        size=int(model.get("size") or 0),
    )


def _state_of(record: Record) -> RunState:
    states = {state.value: state for state in RunState}
    given = states.get(str(record.get("state")))
    return given or (RunState.FAILED if record.get("error") else RunState.DONE)
