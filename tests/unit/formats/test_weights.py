"""Which files a load reads."""

from __future__ import annotations

from comparator.formats.weights import weight_files


def names(model) -> list[str]:
    return [path.name for path in weight_files(model)]


def test_of_a_folder_the_safetensors_else_the_older_kinds(tmp_path):
    for name in ("config.json", "b.safetensors.index.json", "pytorch_model.bin"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["pytorch_model.bin"]
    for name in ("model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors"):
        (tmp_path / name).touch()
    assert names(tmp_path) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]


def test_of_a_gguf_model_all_shards(tmp_path):
    assert names(tmp_path / "m-00001-of-00002.gguf") == [
        "m-00001-of-00002.gguf",
        "m-00002-of-00002.gguf",
    ]
    assert names(tmp_path / "m.gguf") == ["m.gguf"]


def test_a_folder_without_weights_has_none(tmp_path):
    (tmp_path / "config.json").touch()
    assert weight_files(tmp_path) == []
