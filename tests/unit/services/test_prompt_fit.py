"""Which prompts are counted, and what becomes of one that is too long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.services import prompt_fit
from comparator.services.inference_engine import InferenceEngine
from comparator.services.token_counts import TokenCounts

WHY = "The prompt has 3000 tokens; A takes 2048. Shorten it or raise the context (n_ctx)."


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    """An engine whose counts are said by the test; ``asked`` are the models it was asked of."""
    made = InferenceEngine()
    made.asked = []  # type: ignore[attr-defined]

    def count(assignment: Any) -> str:
        name = assignment.work.arguments["name"]
        made.asked.append(name)  # type: ignore[attr-defined]
        refusal = WHY if name == "A" else ""
        return json.dumps([{"tokens": 3000, "context": 2048, "refusal": refusal}])

    made.token_counts = TokenCounts(made.trials, count)
    return made


@pytest.fixture
def models(tmp_path: Path) -> list[ModelInfo]:
    made = []
    for name in "AB":
        path = tmp_path / f"{name}.echo.json"
        path.write_text("{}")
        made.append(ModelInfo(name, name, str(path), ModelType.ECHO, 2))
    return made


def test_an_ordinary_question_is_never_counted(engine, models):
    request = engine.request("short", models)
    assert prompt_fit.sizes(engine.token_counts, request) == [None, None]
    assert engine.asked == []


def test_a_large_context_leaves_room_for_a_long_prompt(engine, models):
    configs = {"B": ModelConfig(n_ctx=16384)}
    request = engine.request("word " * 500, models, configs)
    found = prompt_fit.sizes(engine.token_counts, request)
    assert engine.asked == ["A"]
    assert found[0].refusal == WHY


def test_a_prompt_that_is_known_not_to_fit_is_refused_for_its_slot_alone(engine, models):
    request = engine.request("word " * 500, models)
    assert [slot.refusal for slot in engine.admitted(request).slots] == [None, None]
    assert engine.asked == [], "who may run is decided without asking a child"
    prompt_fit.sizes(engine.token_counts, request)
    assert [slot.refusal for slot in engine.admitted(request).slots] == [WHY, None]


def test_an_inferencer_of_ones_own_is_not_judged_by_the_built_in_one(engine, models):
    request = engine.request("word " * 500, models)
    prompt_fit.sizes(engine.token_counts, request)
    engine.register_inferencer_factory(lambda _model: None)
    own = engine.request("word " * 500, models, date=request.date)
    assert prompt_fit.refusals(engine.token_counts, own) == [None, None]
