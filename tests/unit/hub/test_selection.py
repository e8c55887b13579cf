"""What a repository offers, and what is fetched of it: only what is needed."""

from __future__ import annotations

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelType
from comparator.hub.selection import RemoteFile, choices, pick, quantisation_of


def files(*names: str) -> list[RemoteFile]:
    return [RemoteFile(name, 100 + number, f"{number:064x}") for number, name in enumerate(names)]


GGUF = files(
    "README.md",
    "model-Q8_0.gguf",
    "model-Q4_K_M.gguf",
    "model.IQ2_XXS.gguf",
    "mmproj-model-f16.gguf",
    "model-imatrix.gguf",
    "UD-Q4_K_M/model-UD-Q4_K_M-00002-of-00002.gguf",
    "UD-Q4_K_M/model-UD-Q4_K_M-00001-of-00002.gguf",
    "BF16/model-00001-of-00002.gguf",
    "BF16/model-00002-of-00002.gguf",
)


def test_the_quantisations_of_a_gguf_repository():
    found = {choice.name: [file.name for file in choice.files] for choice in choices(GGUF)}
    assert found == {
        "Q8_0": ["model-Q8_0.gguf"],
        "Q4_K_M": ["model-Q4_K_M.gguf"],
        "IQ2_XXS": ["model.IQ2_XXS.gguf"],
        "UD-Q4_K_M": [
            "UD-Q4_K_M/model-UD-Q4_K_M-00001-of-00002.gguf",
            "UD-Q4_K_M/model-UD-Q4_K_M-00002-of-00002.gguf",
        ],
        "BF16": ["BF16/model-00001-of-00002.gguf", "BF16/model-00002-of-00002.gguf"],
    }


@pytest.mark.parametrize(
    ("stem", "label"),
    [
        ("a-Q4_K_M", "Q4_K_M"),
        ("a.q5_1", "Q5_1"),
        ("a-fp16", "F16"),
        ("a_IQ3_XXS", "IQ3_XXS"),
        ("a-UD-Q2_K_XL", "UD-Q2_K_XL"),
        ("a-MXFP4_MOE", "MXFP4_MOE"),
        ("Q4_0", "Q4_0"),
        ("BF16/a", "BF16"),
        ("qwen2-7b", None),
        ("tinyQ4_0x", None),
    ],
)
def test_a_quantisation_is_read_from_a_name(stem, label):
    assert quantisation_of(stem) == label


def test_two_files_of_one_quantisation_are_told_apart_by_their_names():
    found = choices(files("small-Q4_0.gguf", "large-Q4_0.gguf", "large-Q8_0.gguf"))
    assert [choice.name for choice in found] == ["small-Q4_0", "large-Q4_0", "Q8_0"]


def test_a_model_whose_shards_are_not_all_there_is_not_offered():
    found = choices(files("m-00001-of-00003.gguf", "m-00003-of-00003.gguf", "m-Q4_0.gguf"))
    assert [choice.name for choice in found] == ["Q4_0"]


def test_one_gguf_file_is_taken_rather_than_shards_of_the_same():
    (choice,) = choices(
        files("m-Q4_0.gguf", "m-Q4_0-00001-of-00002.gguf", "m-Q4_0-00002-of-00002.gguf")
    )
    assert [file.name for file in choice.files] == ["m-Q4_0.gguf"]


def test_a_transformers_repository_gives_its_safetensors_and_no_copy_of_them():
    (choice,) = choices(
        files(
            "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
            "model.safetensors.index.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors", "pytorch_model.bin", "consolidated.safetensors",
            "model.fp16.safetensors", "original/consolidated.00.pth", "onnx/model.onnx",
            "flax_model.msgpack", "tf_model.h5", "optimizer.pt", "README.md", "figure.png",
            "merges.txt", "modeling_own.py", "training_args.bin", "chat_template.jinja",
        )
    )  # fmt: skip
    assert choice.engine is ModelType.PYTORCH
    assert choice.name == "safetensors"
    assert [file.name for file in choice.files] == [
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json", "README.md", "chat_template.jinja", "config.json",
        "generation_config.json", "merges.txt", "modeling_own.py", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip


def test_shards_of_another_count_are_passed_over():
    new = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    old = ["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"]
    (choice,) = choices(files("config.json", "model.safetensors.index.json", *new, *old))
    assert [file.name for file in choice.files] == [
        *new,
        "model.safetensors.index.json",
        "config.json",
    ]


def test_heads_are_not_offered():
    names = ["mtp-m-Q8_0.gguf", "eagle3-m.gguf", "heads/dflash-m-F16.gguf", "m-Q8_0.gguf"]
    assert [choice.name for choice in choices(files(*names))] == ["Q8_0"]
    assert [choice.name for choice in choices(files("Eagle2-9B-Q4_K_M.gguf"))] == ["Q4_K_M"]


def test_a_makers_sign_is_part_of_the_name():
    found = choices(files("m.i1-Q4_K_M.gguf", "m.Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf"))
    assert {choice.name for choice in found} == {"i1-Q4_K_M", "Q4_K_M", "UD-Q4_K_XL"}
    assert pick(found, None, "org/name").name == "Q4_K_M"
    assert pick(choices(files("m.i1-Q4_K_M.gguf", "m.i1-Q8_0.gguf")), None, "org/name").name == (
        "i1-Q4_K_M"
    )


def test_one_file_is_taken_rather_than_shards_of_the_same():
    (choice,) = choices(
        files(
            "config.json", "model.safetensors", "model.safetensors.index.json",
            "model-00001-of-00001.safetensors",
        )
    )  # fmt: skip
    assert [file.name for file in choice.files] == ["model.safetensors", "config.json"]


def test_old_weights_are_offered_where_there_are_no_others():
    (choice,) = choices(files("config.json", "pytorch_model.bin"))
    assert (choice.name, choice.engine) == ("bin", ModelType.PYTORCH)


@pytest.mark.parametrize(
    "names",
    [
        ("README.md",),
        ("model.safetensors",),
        ("config.json",),
        ("config.json", "adapter_config.json", "adapter_model.safetensors", "model.safetensors"),
        ("config.json", "model-00001-of-00002.safetensors"),
    ],
)
def test_what_is_no_whole_model_is_not_offered(names):
    assert choices(files(*names)) == []
    with pytest.raises(ConfigurationError, match="no model that can be run here"):
        pick([], None, "org/name")


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "Q4_K_M"),
        ("q8_0", "Q8_0"),
        ("ud-q4_k_m", "UD-Q4_K_M"),
        ("model-Q8_0.gguf", "Q8_0"),
        ("UD-Q4_K_M/model-UD-Q4_K_M-00001-of-00002.gguf", "UD-Q4_K_M"),
    ],
)
def test_a_choice_is_picked_by_its_name_or_a_files(wanted, name):
    assert pick(choices(GGUF), wanted, "org/name").name == name


def test_an_unknown_choice_is_answered_with_those_there_are():
    with pytest.raises(ConfigurationError) as caught:
        pick(choices(GGUF), "Q4_K", "org/name")
    assert "Did you mean Q4_K_M?" in str(caught.value)
    assert "IQ2_XXS" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.gguf", "/etc/evil.gguf", "a/../../evil.gguf", "a\\..\\evil.gguf", "C:evil.gguf",
        "a//evil.gguf", ".git/evil.gguf", "con.gguf", "e\nvil.gguf", "e\x1bvil.gguf",
        "e" * 300 + ".gguf", "a/./evil.gguf", " evil.gguf", "\u202egguf.gguf", "e\ud800vil.gguf",
    ],
)  # fmt: skip
def test_a_dangerous_name_is_refused(name):
    with pytest.raises(ConfigurationError, match="dangerous name"):
        choices(files(name, "model-Q8_0.gguf"))
