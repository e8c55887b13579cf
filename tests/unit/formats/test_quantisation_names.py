"""Quantisations in names, as people write them."""

from __future__ import annotations

import pytest

from comparator.formats.quantisation_names import label_in, prefix_of, recipe_of


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("X.Q4_K_M", "Q4_K_M"),
        ("X-q4_k_m", "Q4_K_M"),
        ("X.i1-IQ3_XS", "i1-IQ3_XS"),
        ("X.I1-Q4_K_M", "i1-Q4_K_M"),
        ("X-UD-Q4_K_XL", "UD-Q4_K_XL"),
        ("ud-q2_k_xl", "UD-Q2_K_XL"),
        ("X-UD-TQ1_0", "UD-TQ1_0"),
        ("X-bf16", "BF16"),
        ("X_fp16", "F16"),
        ("X.Q4_0_4_8", "Q4_0_4_8"),
        ("X-Q6_K_L", "Q6_K_L"),
        ("X-IQ4_KSS", "IQ4_KSS"),
        ("X-IQ4_K_R4", "IQ4_K_R4"),
        ("X-MXFP4_MOE", "MXFP4_MOE"),
        ("X-Q4_K_M-00001-of-00003", "Q4_K_M"),
        ("X-UD-Q4_K_XL-GGUF", "UD-Q4_K_XL"),
        ("X-Q4_K_M-imat", "Q4_K_M"),
        ("llama3.2:3b-instruct-q4_K_M", "Q4_K_M"),
        ("hf.co/org/other:Q8_0", "Q8_0"),
        ("Q8_0-distilled.Q4_K_M", "Q4_K_M"),
        ("Q8_0", "Q8_0"),
        ("Q8_0-distilled", None),
        ("test_names_Q4_K_M_0", None),
        ("Qwen2-7B", None),
        ("BF16x", None),
        ("", None),
    ],
)
def test_the_label_at_the_end_of_a_name(name: str, label: str | None) -> None:
    assert label_in(name) == label


@pytest.mark.parametrize(
    ("label", "prefix", "recipe"),
    [
        ("UD-Q4_K_XL", "UD", "Q4_K_XL"),
        ("i1-IQ3_XS", "i1", "IQ3_XS"),
        ("Q4_K_M", None, "Q4_K_M"),
        ("small-Q4_0", None, "small-Q4_0"),
    ],
)
def test_the_sign_of_a_maker(label: str, prefix: str | None, recipe: str) -> None:
    assert (prefix_of(label), recipe_of(label)) == (prefix, recipe)
