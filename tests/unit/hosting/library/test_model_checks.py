"""What is wrong with a file is said in the list, and found only once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from model_files import change_json, write_directory, write_gguf
from safetensors.numpy import save_file
from source_trees import write

from comparator.core.models import ModelInfo
from comparator.formats import checks, packed_weights
from comparator.hosting.library import model_checks
from comparator.hosting.library.model_checks import mark_problems
from comparator.library import discovery

PACKED = {"quant_method": "hqq"}


def problems(folder: Path, cache: Path) -> dict[str, str | None]:
    models = discovery.scan(folder).models
    mark_problems(models, cache)
    return {model.name: model.problem for model in models}


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x80\x02}q\x00." + b"x" * 50)


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickle": (pickled, "is named .safetensors but is a PyTorch file"),
    "cut": (cut, "is incomplete"),
    "config": (lambda folder: (folder / "config.json").write_text("{'a'"), "not valid JSON"),
    "type": (lambda folder: change_json(folder / "config.json", model_type=None), "model_type"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_folders(tmp_path: Path, damage: str) -> None:
    change, words = DAMAGE[damage]
    change(write_directory(tmp_path / "m" / "bad"))
    write_directory(tmp_path / "m" / "good")
    found = problems(tmp_path / "m", tmp_path / "checks")
    assert words in str(found["bad"])
    assert found["good"] is None


def test_damaged_files(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    whole = write_gguf(tmp_path / "whole.gguf", write_directory(tmp_path / "made")).read_bytes()
    write(folder / "good.gguf", whole)
    write(folder / "cut.gguf", whole[:-500])
    write(folder / "page.gguf", "<!doctype html>")
    write(folder / "pointer.gguf", "version https://git-lfs.github.com/spec/v1")
    write(folder / ("x" * 240 + "\n🙂.gguf"), whole[:-100])
    found = problems(folder, tmp_path / "checks")
    assert found.pop("good") is None
    assert len(found) == 4
    assert all(found.values())


def test_a_model_with_code_of_its_own_may_be_trusted(tmp_path: Path) -> None:
    folder = write_directory(tmp_path / "m" / "own")
    change_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "a.B"})
    assert problems(tmp_path / "m", tmp_path / "checks") == {"own": None}


def test_nothing_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "m", tmp_path / "checks"
    pickled(write_directory(folder / "bad"))
    first = problems(folder, cache)
    checked: list[ModelInfo] = []
    monkeypatch.setattr(checks, "check", lambda model, config: checked.append(model))
    assert problems(folder, cache) == first
    assert checked == []
    write_directory(folder / "bad")
    assert problems(folder, cache) == {"bad": None}
    assert [model.name for model in checked] == ["bad"]


def test_a_package_that_comes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "m", tmp_path / "checks"
    change_json(write_directory(folder / "packed") / "config.json", quantization_config=PACKED)
    monkeypatch.setattr(packed_weights, "is_installed", lambda _name: False)
    assert "pip install hqq" in str(problems(folder, cache)["packed"])
    monkeypatch.setattr(packed_weights, "is_installed", lambda _name: True)
    assert problems(folder, cache) == {"packed": None}


def test_what_a_later_version_checks_is_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "m", tmp_path / "checks"
    write_directory(folder / "model")
    pickled(folder / "model")
    with monkeypatch.context() as earlier:
        earlier.setattr(checks, "check", lambda model, config: None)
        earlier.setattr(model_checks, "CHECKS", b"of before")
        assert problems(folder, cache) == {"model": None}
    assert "PyTorch file" in str(problems(folder, cache)["model"])


@pytest.mark.parametrize(
    ("weights", "tensor", "words"),
    [
        ("output.safetensors", "q_scale_max", "for EXL2, which transformers does not read: ExLl"),
        ("output-00001-of-00001.safetensors", "q_scale_max", "ExLlamaV2 runs it"),
        ("model.safetensors", "trellis", "ExLlamaV3 runs it"),
        ("gptq_model-4bit-128g.safetensors", "g_idx", "for GPTQ, but config.json has no quant"),
        ("model.safetensors", "qweight", "for AWQ, but config.json has no quantization_config"),
        ("model.safetensors", "weight.quant_state.bitsandbytes__nf4", "for bitsandbytes, but"),
        ("model.safetensors", "weight_scale_2", "TensorRT-LLM, vLLM and SGLang run it"),
    ],
)
def test_quantised_weights_are_known_where_their_configuration_is_silent(
    tmp_path: Path, weights: str, tensor: str, words: str
) -> None:
    folder = write_directory(tmp_path / "m" / "packed")
    zeros = numpy.zeros(8, dtype=numpy.int32)
    (folder / "model.safetensors").unlink()
    save_file({"layers.0.q_proj." + tensor: zeros, "norm.weight": zeros}, folder / weights)
    assert words in str(problems(tmp_path / "m", tmp_path / "checks")["packed"])


def test_a_model_that_went_away(tmp_path: Path) -> None:
    file = write(tmp_path / "m" / "gone.gguf")
    models = discovery.scan(tmp_path / "m").models
    file.unlink()
    mark_problems(models, tmp_path / "checks")
    assert str(models[0].problem).startswith("No file or folder at")


def test_two_at_once(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path / "m" / f"{number}.gguf", f"GGUF{number}")
    found: list[dict[str, str | None]] = []

    def look() -> None:
        found.append(problems(tmp_path / "m", tmp_path / "checks"))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert found.count(found[0]) == 3
    assert all(found[0].values()), json.dumps(found[0])
