"""LoRA adapters: found beside their base, described, and held against it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lora_files
import model_files
import pytest

from comparator.core.exceptions import ModelLoadError, ModelNotFoundError
from comparator.core.lora import Adapter, adapter_of, with_home
from comparator.core.models import ModelInfo, ModelType
from comparator.formats.adapter_files import read_adapter
from comparator.library import adapters
from comparator.library.discovery import find
from comparator.memory.need import estimate


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    base = model_files.write_directory(folder / "base")
    model_files.write_gguf(folder / "base.gguf", base)
    peft = lora_files.write_peft(folder / "polite", base)
    lora_files.write_gguf(folder / "rude.gguf", peft, **{"general.base_model.0.name": "Base 7B"})
    broken = folder / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.gguf", Adapter("a.gguf")),
        ("a.gguf:0.5", Adapter("a.gguf", 0.5)),
        ("a:b:-2e1", Adapter("a:b", -20.0)),
        ("C:\\adapters\\a", Adapter("C:\\adapters\\a")),
        (":1", Adapter(":1")),
        ("a:", Adapter("a:")),
    ],
)
def test_a_scale_is_a_number_behind_the_last_colon(text: str, expected: Adapter) -> None:
    assert adapter_of(text) == expected


@pytest.mark.parametrize("one", [Adapter("a"), Adapter("a:8"), Adapter("a", 1 / 3)])
def test_what_is_written_means_the_same_when_it_is_read(one: Adapter) -> None:
    assert adapter_of(one.as_text()) == one


def test_the_home_folder_is_meant_by_a_wave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert with_home("~/polite:0.5") == "/home/me/polite:0.5"
    assert with_home("polite") == "polite"


def adapters_in(folder: Path) -> list[adapters.LibraryAdapter]:
    found = find(folder)
    return adapters.adapters_among([placed.model for placed in found.found], found.skipped)


def test_adapters_are_found_and_are_no_models(shelf: Path) -> None:
    broken, polite, rude = adapters_in(shelf)
    assert (polite.name, polite.kind, polite.base) == ("polite", ModelType.PYTORCH, "someone/base")
    assert (rude.name, rude.kind, rude.base) == ("rude", ModelType.GGUF, "Base 7B")
    assert polite.rank == rude.rank == 4
    assert polite.size > 0
    assert "is of the kind None; only LoRA" in broken.problem
    listed = adapters.as_text([broken, polite, rude])
    assert "polite: for someone/base, rank 4" in listed
    assert adapters.as_text([]) == ""


def test_each_is_shown_beside_the_base_that_it_fits(shelf: Path, tmp_path: Path) -> None:
    found = adapters_in(shelf)
    of_folder, of_gguf = map(model_files.as_model, (shelf / "base", shelf / "base.gguf"))
    assert adapters.details(of_folder, found) == [("Adapters", "polite")]
    assert adapters.details(of_gguf, found) == [("Adapters", "rude")]
    other = ModelInfo("", "other", str(tmp_path), ModelType.PYTORCH, 1)
    (tmp_path / "config.json").write_text("{}")
    model_files.write_weights(tmp_path, {"model.layers.0.mlp.down_proj.weight": _zeros(8, 8)})
    assert adapters.details(other, found) == []


def test_an_adapter_of_other_layers_fits_no_model(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    model_files.write_weights(tmp_path, {"h.0.attn.c_attn.weight": _zeros(8, 8)})
    other = ModelInfo("", "base", str(tmp_path), ModelType.PYTORCH, 1)
    (polite,) = [one for one in adapters_in(shelf) if one.name == "polite"]
    assert not adapters.suits(polite, other)
    with pytest.raises(ModelLoadError, match="base has no such layer"):
        adapters.check([Adapter(polite.path)], other)


def test_of_a_base_whose_weights_tell_nothing_the_name_decides(shelf: Path, tmp_path: Path) -> None:
    (polite,) = [one for one in adapters_in(shelf) if one.name == "polite"]
    for name, fits in (("base", True), ("another", False)):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        model = ModelInfo("", name, str(folder), ModelType.PYTORCH, 1)
        assert adapters.suits(polite, model) is fits


def _zeros(*shape: int) -> object:
    import torch

    return torch.zeros(*shape)


def test_an_id_or_a_name_means_one_adapter(shelf: Path) -> None:
    found = adapters_in(shelf)
    assert adapters.meant(found, "rude") == adapters.meant(found, found[2].id) == found[2]
    with pytest.raises(ModelNotFoundError, match=r"No adapter 'gone'. There are: polite"):
        adapters.meant(found, "gone")
    with pytest.raises(ModelNotFoundError, match="Several adapters are named 'rude'"):
        adapters.meant([*found, found[2]], "rude")


def test_memory_counts_what_an_adapter_has(shelf: Path) -> None:
    from comparator.core.config import ModelConfig

    model = model_files.as_model(shelf / "base.gguf")
    plain = estimate(model, ModelConfig())
    with_one = estimate(model, ModelConfig(lora=[f"{shelf / 'rude.gguf'}:0.5", "/gone"]))
    size = read_adapter(shelf / "rude.gguf").size
    assert with_one.weights - plain.weights == size > 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ('{"peft_type": "LORA", "modules_to_save": ["lm_head"]}', "whole layers of its own"),
        ('{"peft_type": "LORA", "bias": "all"}', "biases of its own"),
        ('{"peft_type": "LORA"}', "has no adapter_model.safetensors. Weights as .bin may hold"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    (tmp_path / "adapter_model.bin").write_bytes(b"PK")
    with pytest.raises(ModelLoadError, match=words):
        read_adapter(tmp_path)


def test_norms_that_llama_cpp_leaves_out_are_no_damage(shelf: Path, tmp_path: Path) -> None:
    path = lora_files.write_gguf(tmp_path / "m.gguf", shelf / "polite", with_norm=True)
    assert read_adapter(path).shapes == read_adapter(shelf / "rude.gguf").shapes


def test_an_adapter_that_is_turned_on_by_words_is_refused(shelf: Path, tmp_path: Path) -> None:
    said = {"adapter.alora.invocation_tokens": "1 2"}
    path = lora_files.write_gguf(tmp_path / "a.gguf", shelf / "polite", **said)
    with pytest.raises(ModelLoadError, match="turned on by words of its own"):
        read_adapter(path)


def test_matrices_of_another_rank_than_is_said_are_refused(shelf: Path, tmp_path: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(shelf / "polite" / name, tmp_path)
    model_files.change_json(tmp_path / "adapter_config.json", r=8)
    with pytest.raises(ModelLoadError, match=r"says rank 8, and the matrices of .* have 4\."):
        read_adapter(tmp_path)
    model_files.change_json(tmp_path / "adapter_config.json", rank_pattern={"_proj": 4})
    assert read_adapter(tmp_path).rank == 4


def test_matrices_without_a_partner_are_refused(shelf: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = lora_files.tensors_of(shelf / "polite")
    said = json.loads((shelf / "polite" / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(said))
    lonely = {name: tensor for name, tensor in tensors.items() if "lora_A" in name}
    for kept, words in (
        (lonely, "belongs to no pair"),
        ({"base_model.model.lm_head.weight": _zeros(2, 2)}, "belongs to no pair"),
        ({"x.lora_A.weight": _zeros(2)}, "is no matrix"),
    ):
        save_file(kept, tmp_path / "adapter_model.safetensors")
        with pytest.raises(ModelLoadError, match=words):
            read_adapter(tmp_path)
