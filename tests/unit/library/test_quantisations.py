"""Which quantisations a person may ask for, and what is said of the others."""

from __future__ import annotations

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.library import quantisations
from comparator.library.quantisations import named, without_suffix


def test_names_come_by_their_bits_and_once_however_they_are_given() -> None:
    words = ["q2_k", "Q8_0,Q4_K_M", "q8_0", " Q4_K "]
    assert named(words) == ["Q8_0", "Q4_K_M", "Q2_K"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("Q9", "no quantisation 'Q9'.*There are: F32.*Q2_K"),
        ("Q4_KM", "Did you mean Q4_K_M"),
        ("IQ2_XS", "importance matrix"),
        ("q2_k_s", "importance matrix"),
        ("IQ3_S", "importance matrix"),
        ("TQ1_0", "trained for it"),
        ("", "Say which"),
        (",", "Say which"),
    ],
)
def test_what_is_not_made_is_refused_with_its_reason(word: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        named([word])


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("SmolLM2-135M-Instruct.Q4_1", "SmolLM2-135M-Instruct"),
        ("Qwen3-0.6B-Q8_0", "Qwen3-0.6B"),
        ("llama-3.2-3b-instruct-q4_k_m", "llama-3.2-3b-instruct"),
        ("gemma-3-1b-it-UD-Q4_K_XL", "gemma-3-1b-it"),
        ("Phi-4.i1-IQ2_XS", "Phi-4"),
        ("ggml-model-f16", "ggml-model"),
        ("Model-BF16", "Model"),
        ("Q8_0", "Q8_0"),
        ("QwQ-32B", "QwQ-32B"),
        ("phi-2", "phi-2"),
    ],
)
def test_the_quantisation_at_the_end_of_a_name_is_left_out(name: str, plain: str) -> None:
    assert without_suffix(name) == plain


def test_every_quantisation_is_one_of_llama_cpp() -> None:
    llama = pytest.importorskip("llama_cpp")
    known = {name.removeprefix("LLAMA_FTYPE_") for name in vars(llama)}
    for name in quantisations.OFFERED:
        assert {f"MOSTLY_{name}", f"ALL_{name}"} & known, name
    for name in known:
        if name.startswith("MOSTLY_"):
            assert quantisations.is_name(name.removeprefix("MOSTLY_")), name
