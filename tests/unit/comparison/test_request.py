"""What a slot tells of its model, found out once."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.comparison import request
from comparator.comparison.request import Slot
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.library import labels
from comparator.library.facts.values import ModelFacts


def test_a_slot_is_labelled_by_engine_quantisation_and_size_when_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def facts_of(model: ModelInfo) -> ModelFacts:
        asked.append(model.name)
        return ModelFacts(quantisation="Q4_1")

    monkeypatch.setattr(labels, "facts_of", facts_of)
    model = ModelInfo("", "small", "/nowhere.gguf", ModelType.GGUF, 98_362_432)
    slot = Slot.of(model, ModelConfig())
    assert (slot.label, slot.label, asked) == ("GGUF · Q4_1 · 98 MB",) * 2 + (["small"],)


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    model = ModelInfo("", "own", str(tmp_path / "gone"), ModelType.CUSTOM, 0)
    assert request.Slot.of(model, ModelConfig()).label == "Custom"
