"""What a quantisation is called, who made it, and whether its weights are what its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
from gguf import GGMLQuantizationType, GGUFWriter

from comparator.core.models import ModelInfo, ModelType
from comparator.formats.gguf_header import TENSOR_TYPE_NAMES, Tensor
from comparator.library.facts.makers import maker_of
from comparator.library.facts.quantisation_labels import label_of
from comparator.library.facts.store import read_facts

KINDS = {name: kind for kind, name in TENSOR_TYPE_NAMES.items()}


def layers(row: int = 1024, **shares: int) -> list[Tensor]:
    """Make matrices of layers with so many weights of each type, norms and an output matrix."""
    matrices = [
        Tensor("blk.0.x.weight", 0, KINDS[name], share * row, 1, (row,))
        for name, share in shares.items()
    ]
    norm = Tensor("blk.0.norm.weight", 0, KINDS["F32"], row, 1, (row,))
    return [*matrices, norm, Tensor("output.weight", 0, KINDS["Q6_K"], 10**9, 1, (row,))]


@pytest.mark.parametrize(
    ("label", "tensors"),
    [
        ("Q4_K_M", layers(Q4_K=80, Q6_K=20)),
        ("i1-Q4_K_M", layers(Q4_K=80, Q6_K=20)),
        ("Q4_K_L", layers(Q4_K=80, Q6_K=20)),
        ("Q5_K_S", layers(Q5_K=99)),
        ("Q2_K", layers(Q2_K=60, Q3_K=40)),
        ("Q2_K", layers(Q2_K=20, Q3_K=80)),  # before 2024
        ("Q3_K_L", layers(Q3_K=60, Q5_K=40)),
        ("Q6_K", layers(Q6_K=100)),
        ("Q8_0", layers(Q8_0=100)),
        ("Q4_0", layers(Q4_0=90, Q4_1=10)),
        ("F16", layers(F16=100)),
        ("IQ3_XS", layers(IQ3_XXS=50, IQ3_S=50)),
        ("IQ3_M", layers(IQ3_S=80, Q4_K=20)),
        ("IQ2_M", layers(IQ2_S=80, IQ3_S=20)),
        ("i1-IQ1_S", layers(IQ1_S=60, IQ2_XXS=40)),
        ("IQ4_XS", layers(IQ4_XS=90, Q5_K=10)),
        ("UD-Q4_K_XL", layers(IQ4_XS=50, Q5_K=40)),
        ("UD-Q2_K_XL", layers(IQ2_XXS=60, Q4_K=40)),
        ("UD-TQ1_0", layers(IQ1_S=80, IQ2_XXS=20)),
        ("UD-Q8_K_XL", layers(BF16=60, Q8_0=40)),
        # trained in MXFP4, which every recipe leaves alone (gpt-oss)
        ("Q4_K_M", layers(MXFP4=90, Q8_0=10)),
        ("F16", layers(MXFP4=90, F16=10)),
        # rows that do not divide into blocks of 256 get another type
        ("Q4_K_M", layers(576, Q5_0=60, Q8_0=20, Q4_K=20)),
        ("Q2_K", layers(576, Q4_0=60, Q8_0=30, Q3_K=10)),
        ("Q3_K_M", layers(576, IQ4_NL=60, Q5_0=20)),
        ("Q6_K", layers(576, Q8_0=100)),
        ("IQ3_M", layers(576, IQ4_NL=100)),
        ("Q8_0", layers(40, F16=100)),
        ("UD-Q4_K_XL", layers(640, Q8_0=100)),
        # names that this build knows nothing of
        ("IQ4_KSS", layers(Q4_K=100)),
        ("Q4_K_M", []),
    ],
)
def test_usual_mixes_are_not_doubted(label: str, tensors: list[Tensor]) -> None:
    found = label_of(label, "Q4_0", tensors)
    assert (found.name, found.warning) == (label, None)


def test_a_name_of_bits_alone_leaves_the_recipe_to_the_header() -> None:
    assert label_of("Q4", "Q4_K_M", layers(Q4_K=80, Q6_K=20)).name == "Q4_K_M"
    assert label_of("Q4", "Q8_0", layers(Q8_0=100)).name == "Q4"


@pytest.mark.parametrize(
    ("label", "tensors", "main"),
    [
        ("Q4_K_M", layers(Q8_0=100), "100 % of its layers' weights are Q8_0"),
        ("Q4_K_M", layers(Q2_K=80, Q3_K=20), "80 % of its layers' weights are Q2_K"),
        ("Q4_K_M", layers(Q4_0=100), "Q4_0"),
        ("Q8_0", layers(F16=100), "F16"),
        ("Q6_K", layers(Q4_K=100), "Q4_K"),
        ("BF16", layers(F16=100), "F16"),
        ("F16", layers(Q4_K=100), "Q4_K"),
        ("IQ3_M", layers(Q4_K=100), "Q4_K"),
        ("IQ2_XXS", layers(IQ4_XS=100), "IQ4_XS"),
        ("UD-Q4_K_XL", layers(Q8_0=100), "Q8_0"),
        ("UD-Q8_K_XL", layers(Q4_K=100), "Q4_K"),
        ("Q4_K_M", layers(576, Q8_0=100), "Q8_0"),
    ],
)
def test_a_name_that_lies_is_marked(label: str, tensors: list[Tensor], main: str) -> None:
    found = label_of(label, None, tensors)
    assert found.name == label
    assert found.warning is not None
    assert found.warning.startswith(f"Its name says {label}, but ")
    assert main in found.warning


@pytest.mark.parametrize(
    ("declared", "tensors", "label", "doubted"),
    [
        ("Q4_K_M", layers(Q4_K=80, Q6_K=20), "Q4_K_M", False),
        ("Q4_K_M", layers(Q8_0=100), "Q8_0", True),
        ("F16", [], "F16", False),
        (None, layers(Q4_1=90, Q8_0=10), "Q4_1", False),
        (None, [], None, False),
    ],
)
def test_without_a_name_the_header_and_the_weights_decide(
    declared: str | None, tensors: list[Tensor], label: str | None, doubted: bool
) -> None:
    found = label_of(None, declared, tensors)
    assert (found.name, found.warning is not None) == (label, doubted)
    assert not doubted or (found.warning or "").startswith("Its header says ")


def write(path: Path, kind: str = "Q4_K", **more: Any) -> ModelInfo:
    """Write a GGUF with one matrix of a type and texts of its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, "llama")
    for key, value in more.items():
        name = key.replace("__", ".")
        (writer.add_string if isinstance(value, str) else writer.add_uint32)(name, value)
    sizes = {"Q4_K": 144, "Q8_0": 8 * 34}
    writer.add_tensor(
        "blk.0.attn_q.weight",
        numpy.zeros((4, sizes[kind]), numpy.uint8),
        raw_dtype=GGMLQuantizationType[kind],
    )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return ModelInfo("", path.stem, str(path), ModelType.GGUF, 1)


@pytest.mark.parametrize(
    ("place", "label"),
    [
        ("X.Q4_K_M.gguf", "Q4_K_M"),
        ("X.i1-Q4_K_M.gguf", "i1-Q4_K_M"),
        ("X-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("UD-Q4_K_XL/X-00001-of-00001.gguf", "UD-Q4_K_XL"),
        ("X.gguf", "Q4_K_S"),
    ],
)
def test_a_file_is_called_as_people_call_it(tmp_path: Path, place: str, label: str) -> None:
    facts = read_facts(write(tmp_path / place, general__file_type=14))
    assert (facts.quantisation, facts.quantisation_warning) == (label, None)
    assert facts.tensor_types == {"Q4_K": 1.0}


def test_the_name_of_the_model_counts_where_the_file_has_none(tmp_path: Path) -> None:
    model = write(tmp_path / ("sha256-" + "a" * 64))
    model.name = "small:1b-q4_K_M"
    assert read_facts(model).quantisation == "Q4_K_M"


def test_a_lying_file_keeps_its_name_and_is_marked(tmp_path: Path) -> None:
    facts = read_facts(write(tmp_path / "X.Q4_K_M.gguf", "Q8_0", general__file_type=7))
    assert facts.quantisation == "Q4_K_M"
    assert facts.quantisation_warning == (
        "Its name says Q4_K_M, but 100 % of its layers' weights are Q8_0."
    )


@pytest.mark.parametrize(
    ("place", "more", "maker"),
    [
        ("X.Q4_K_M.gguf", {}, None),
        ("X-UD-Q4_K_XL.gguf", {}, "unsloth"),
        ("X.i1-Q4_K_M.gguf", {}, "mradermacher"),
        ("X.Q4_K_M.gguf", {"general__quantized_by": "Unsloth"}, "unsloth"),
        ("X.i1-Q4_K_M.gguf", {"general__quantized_by": "some\none"}, "some one"),
        ("X.Q4_K_M.gguf", {"mradermacher__quantize_version": "2"}, "mradermacher"),
        ("X.Q4_K_M.gguf", {"general__repo_url": "https://huggingface.co/unsloth"}, "unsloth"),
        ("X.Q4_K_M.gguf", {"quantize__imatrix__file": "X-GGUF/imatrix_unsloth.dat"}, "unsloth"),
        ("bartowski_X-GGUF/X-Q4_K_M.gguf", {}, "bartowski"),
        ("lmstudio-community/X-GGUF/X-Q4_K_M.gguf", {}, "lmstudio-community"),
        (".lmstudio/models/someone/X-GGUF/X-Q4_K_M.gguf", {}, "someone"),
        ("modelscope/hub/models/Qwen/X/X-Q4_K_M.gguf", {}, "Qwen"),
        ("models--Qwen--X-GGUF/snapshots/abc/X-Q4_K_M.gguf", {}, "Qwen"),
    ],
)
def test_who_made_a_file(
    tmp_path: Path, place: str, more: dict[str, Any], maker: str | None
) -> None:
    assert read_facts(write(tmp_path / place, **more)).maker == maker


def test_a_maker_of_any_type_is_read(tmp_path: Path) -> None:
    for value in (7, [], {}, None, "x" * 10_000):
        assert len(maker_of({"general.quantized_by": value}, None, tmp_path) or "") <= 40


@pytest.mark.parametrize(
    ("key", "label"), [("gguf_q4_1", "Q4_1"), ("gguf_q8_0", "Q8_0"), ("gguf_q2_k", "Q2_K")]
)
def test_the_starter_models_are_what_their_names_say(
    starter_models: dict[str, str], key: str, label: str
) -> None:
    path = Path(starter_models[key])
    facts = read_facts(ModelInfo("", path.stem, str(path), ModelType.GGUF, 1))
    assert (facts.quantisation, facts.quantisation_warning, facts.maker) == (label, None, None)
