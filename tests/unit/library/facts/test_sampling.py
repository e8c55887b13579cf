"""The sampling that makers advise, read from files that nobody loads."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFWriter

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts import sampling


def of_gguf(path: Path, **advice: Any) -> ModelInfo:
    writer = GGUFWriter(path, "llama")
    for name, value in advice.items():
        key = f"general.sampling.{name}"
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_int32(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return ModelInfo("", path.stem, str(path), ModelType.GGUF, 1)


def of_folder(folder: Path, text: str | None = None, **advice: Any) -> ModelInfo:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "generation_config.json").write_text(json.dumps(advice) if text is None else text)
    return ModelInfo("", folder.name, str(folder), ModelType.PYTORCH, 1)


def test_what_a_gguf_says(tmp_path: Path) -> None:
    model = of_gguf(
        tmp_path / "m.gguf", temp=0.6, top_k=20, top_p=0.95, min_p=0.0, penalty_repeat=1.05
    )
    found = sampling.sampling_of(model)
    assert found.values == {
        "temperature": 0.6,
        "top_k": 20,
        "top_p": 0.95,
        "min_p": 0.0,
        "repeat_penalty": 1.05,
    }
    assert found.sentences == ()


def test_what_a_folder_says(tmp_path: Path) -> None:
    model = of_folder(
        tmp_path / "m",
        do_sample=True,
        temperature=0.6,
        top_k=20.0,
        top_p=1,
        repetition_penalty=1.05,
        eos_token_id=[1, 2],
        transformers_version="5",
    )
    found = sampling.sampling_of(model)
    assert found.values == {
        "do_sample": True,
        "temperature": 0.6,
        "top_k": 20,
        "top_p": 1.0,
        "repeat_penalty": 1.05,
    }
    assert found.sentences == ()


def test_what_ollama_says_goes_behind_the_file(tmp_path: Path) -> None:
    model = of_gguf(tmp_path / "m.gguf", temp=0.6)
    model.config["parameters"] = {"temperature": 1.0, "top_k": 64, "stop": ["x"], "num_ctx": 5}
    assert sampling.sampling_of(model).values == {"temperature": 0.6, "top_k": 64}


@pytest.mark.parametrize("value", ["hot", -0.5, math.nan, math.inf, 1e9])
def test_a_bad_temperature_is_ignored_in_words(tmp_path: Path, value: Any) -> None:
    models = [of_gguf(tmp_path / "m.gguf", temp=value, top_p=0.95)]
    models.append(of_folder(tmp_path / "m", temperature=value, top_p=0.95))
    for model, name in zip(models, ("temp", "temperature"), strict=True):
        found = sampling.sampling_of(model)
        assert found.values == {"top_p": 0.95}
        (said,) = found.sentences
        assert f"advises as {name} is ignored: temperature must be between 0.1 and 2.0" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("temperature", 10**400, id="beyond a float"),
        ("top_k", -3),
        ("top_k", 10**9),
        ("top_k", 0.5),
        ("top_k", True),
        ("top_p", 0),
        ("top_p", "1"),
        ("min_p", 2),
        ("repetition_penalty", [1.1]),
        ("do_sample", "yes"),
    ],
)
def test_other_bad_values_are_ignored_in_words(tmp_path: Path, name: str, value: Any) -> None:
    found = sampling.sampling_of(of_folder(tmp_path / "m", **{name: value}))
    assert found.values == {}
    assert f"advises as {name} is ignored" in found.sentences[0]


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", "[" * 100_000])
def test_a_damaged_file_is_told_and_nothing_more(tmp_path: Path, text: str) -> None:
    found = sampling.sampling_of(of_folder(tmp_path / "m", text))
    assert found.values == {}
    assert found.sentences[0].startswith("The maker's sampling cannot be read: ")


def test_what_has_no_setting_here_is_named(tmp_path: Path) -> None:
    model = of_gguf(
        tmp_path / "m.gguf", temp=1.0, mirostat=2, xtc_probability=0.5, penalty_last_n=64
    )
    (said,) = sampling.sampling_of(model).sentences
    assert "advises as xtc_probability, mirostat is not done here" in said


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    model = of_folder(tmp_path / "m", temperature=0.6)
    assert sampling.sampling_of(model).values == {"temperature": 0.6}
    of_folder(tmp_path / "m", temperature=0.75)
    assert sampling.sampling_of(model).values == {"temperature": 0.75}


def test_the_hint_is_there_only_where_something_else_would_be_sent(tmp_path: Path) -> None:
    model = of_folder(tmp_path / "m", do_sample=True, temperature=0.6, top_p=0.95)
    said = "Its maker advises temperature 0.6, top_p 0.95."
    assert sampling.hint(model, ModelConfig()) == said
    assert sampling.hint(model, ModelConfig(temperature=0.6)) == "Its maker advises top_p 0.95."
    assert sampling.hint(model, ModelConfig(temperature=0.6, top_p=0.95)) == ""
    assert sampling.hint(model, ModelConfig(sampling="maker")) == ""
    assert sampling.hint(of_folder(tmp_path / "none"), ModelConfig()) == ""
    greedy = of_folder(tmp_path / "greedy", do_sample=False, temperature=0.6)
    assert sampling.hint(greedy, ModelConfig()) == "Its maker advises greedy."
    assert sampling.hint(greedy, ModelConfig(temperature=0)) == ""


def test_details_have_a_row_where_there_is_advice(tmp_path: Path) -> None:
    model = of_folder(tmp_path / "m", temperature=0.6, top_k=-1)
    ((label, text),) = sampling.details(model)
    assert label == "Maker's sampling"
    assert text.startswith("temperature 0.6 What generation_config.json advises as top_k")
    assert sampling.details(of_folder(tmp_path / "none")) == []
