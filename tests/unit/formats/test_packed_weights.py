"""Weights that another library quantised: what they are, and what would run them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from comparator.formats import packed_weights
from comparator.formats.packed_weights import label_of, method_of


def packed(**settings: Any) -> dict[str, Any]:
    return {"model_type": "llama", "quantization_config": settings}


def why_not_here(config: dict[str, Any], has: Callable[[str], bool]) -> str | None:
    found = method_of(config)
    return packed_weights.why_not_here(found[0], str(label_of(config)), has) if found else None


NONE, ALL = (lambda _name: False), (lambda _name: True)


@pytest.mark.parametrize(
    ("config", "label", "install"),
    [
        (packed(quant_method="gptq", bits=4), "GPTQ 4-bit", "optimum gptqmodel"),
        (packed(quant_method="awq", bits=4), "AWQ 4-bit", "gptqmodel"),
        (packed(load_in_4bit=True), "bitsandbytes 4-bit", "bitsandbytes"),
        (packed(quant_method="bitsandbytes", load_in_8bit=True), "bitsandbytes 8-bit",
         "bitsandbytes"),
        (packed(quant_method="compressed-tensors"), "compressed-tensors", "compressed-tensors"),
        (packed(quant_method="hqq"), "HQQ", "hqq"),
        (packed(quant_method="aqlm"), "AQLM", "aqlm[cpu]"),
        (packed(quant_method="torchao"), "torchao", "torchao"),
        ({"text_config": packed(quant_method="hqq")}, "HQQ", "hqq"),
    ],
)  # fmt: skip
def test_without_its_package_it_says_what_it_needs(
    config: dict[str, Any], label: str, install: str
) -> None:
    assert label_of(config) == label
    reason = why_not_here(config, NONE)
    assert reason is not None
    assert f"quantised with {label}" in reason
    assert f"pip install {install}." in reason
    assert why_not_here(config, ALL) is None


@pytest.mark.parametrize(
    ("config", "label", "program"),
    [
        (packed(group_size=64, bits=4), "MLX 4-bit", "mlx-lm"),
        ({"quantization": {"group_size": 64, "bits": 8}}, "MLX 8-bit", "mlx-lm"),
        (packed(quant_method="exl2", bits=5.0), "EXL2", "ExLlamaV2"),
        (packed(quant_method="exl3", bits=4), "EXL3 4-bit", "ExLlamaV3"),
        (packed(quant_method="modelopt"), "ModelOpt", "vLLM"),
    ],
)
def test_what_transformers_does_not_read_says_what_runs_it(
    config: dict[str, Any], label: str, program: str
) -> None:
    assert label_of(config) == label
    for has in (NONE, ALL):
        assert program in (why_not_here(config, has) or "")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"quantization_config": None},
        {"quantization_config": {}},
        {"quantization_config": "gptq"},
        {"quantization_config": []},
        packed(bits=4),
        packed(quant_method=7, bits=True),
        packed(quant_method="fp8"),
        packed(quant_method="mxfp4"),
        packed(quant_method="bitnet"),
        packed(quant_method="of tomorrow", bits=-1),
        {"text_config": 1, "quantization": []},
    ],
)
def test_all_else_is_left_to_the_engine(config: dict[str, Any]) -> None:
    assert why_not_here(config, NONE) is None


def test_a_name_that_nobody_knows_is_shown_on_one_short_line() -> None:
    label = label_of(packed(quant_method="a\nb\x1b[31m" + "x" * 1000)) or ""
    assert "\n" not in label
    assert "\x1b" not in label
    assert len(label) <= 40
