"""Which value of a setting is sent, and where it comes from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from comparator.comparison.request import Slot
from comparator.comparison.slot_settings import NO_ADVICE, GivenSettings, settings_of
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType


@pytest.fixture
def model(tmp_path: Path) -> ModelInfo:
    (tmp_path / "config.json").write_text("{}")
    advice = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 7}
    (tmp_path / "generation_config.json").write_text(json.dumps(advice))
    return ModelInfo("", "m", str(tmp_path), ModelType.PYTORCH, 1)


def changed(sources: dict[str, str]) -> dict[str, str]:
    return {name: source for name, source in sources.items() if source != "default"}


def test_without_a_wish_for_it_the_makers_values_change_nothing(model: ModelInfo) -> None:
    config = ModelConfig(temperature=0.3, seed=5)
    settled = settings_of(model, config)
    assert settled.config == config
    assert settled.notice == ""
    assert settled.sources.keys() == asdict(config).keys()
    assert changed(settled.sources) == {"temperature": "given", "seed": "given"}


def test_the_makers_values_take_the_place_of_the_usual_ones(model: ModelInfo) -> None:
    settled = settings_of(model, ModelConfig(sampling="maker"))
    assert (settled.config.temperature, settled.config.top_k, settled.config.top_p) == (
        0.6,
        20,
        0.9,
    )
    assert changed(settled.sources) == {
        "temperature": "maker",
        "do_sample": "maker",
        "top_k": "maker",
        "seed": "drawn",
        "sampling": "given",
    }
    assert "advises as top_p is ignored" in settled.notice


def test_what_a_person_gave_stands(model: ModelInfo) -> None:
    settled = settings_of(model, ModelConfig(sampling="maker", temperature=1.2))
    assert (settled.config.temperature, settled.config.top_k) == (1.2, 20)
    assert settled.sources["temperature"] == "given"


def test_who_gives_the_usual_value_gives_it_too(model: ModelInfo) -> None:
    given = GivenSettings({"temperature", "sampling"}, {"temperature", "sampling"})
    settled = settings_of(model, ModelConfig(sampling="maker"), given)
    assert (settled.config.temperature, settled.sources["temperature"]) == (0.7, "given")


def test_who_gives_a_temperature_is_not_made_greedy(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "generation_config.json").write_text('{"do_sample": false}')
    model = ModelInfo("", "m", str(tmp_path), ModelType.PYTORCH, 1)
    assert settings_of(model, ModelConfig(sampling="maker")).config.is_greedy
    assert not settings_of(model, ModelConfig(sampling="maker", temperature=1.0)).config.is_greedy


def test_a_maker_who_says_nothing_is_told(tmp_path: Path) -> None:
    model = ModelInfo("", "m", str(tmp_path / "m.echo.json"), ModelType.ECHO, 1)
    settled = settings_of(model, ModelConfig(sampling="maker"))
    assert settled.notice == NO_ADVICE
    assert settled.config == ModelConfig(sampling="maker")


def test_a_slot_keeps_where_its_values_come_from_when_it_is_asked_again(model: ModelInfo) -> None:
    slot: Any = Slot.of(model, ModelConfig(sampling="maker", lora=["/some/where/a.gguf:0.5"]))
    again = slot.anew()
    assert again == slot
    assert again.sources["top_k"] == "maker"
    assert again.label.endswith("LoRA a:0.5")
