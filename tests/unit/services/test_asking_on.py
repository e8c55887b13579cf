"""What is asked on from results: the front door's own half."""

from __future__ import annotations

from pathlib import Path

from comparator.comparison import turns
from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    PromptReport,
    RunState,
)
from comparator.services.asking_on import request_on
from comparator.services.inference_engine import InferenceEngine

MESSAGES = [{"role": "user", "content": "Count."}]


def test_an_answer_goes_on_at_the_date_that_its_begin_was_told(tmp_path: Path) -> None:
    path = tmp_path / "m.echo.json"
    path.write_text("{}")
    model = ModelInfo("", "m", str(path), ModelType.ECHO, 2)
    cut = InferenceResult(
        model.id,
        "one two",
        True,
        None,
        InferenceStats(1.0, finish_reason="length"),
        state=RunState.DONE,
        model=model,
        prompt=PromptReport("", messages=MESSAGES, date="2001-02-03T04:05:06"),
    )
    request = request_on(InferenceEngine(), {model.id: cut}, turns.continued)
    assert request.date == "2001-02-03T04:05:06"
