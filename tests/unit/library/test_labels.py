"""What stands beside a model's name, and which models words find first."""

from __future__ import annotations

import pytest

from comparator.core.models import ModelInfo, ModelType
from comparator.library import labels
from comparator.library.facts.values import ModelFacts
from comparator.library.labels import kind_line, quantisation_line, ranked

LYING = ModelFacts(
    quantisation="Q4_K_M",
    quantisation_warning="Its name says Q4_K_M, but 100 % of its layers' weights are Q8_0.",
    tensor_types={"Q8_0": 0.9, "F32": 0.1},
)
FACTS = {
    "a-Q8_0-Q4_K_XL-merge.Q4_K_M": ModelFacts(quantisation="Q4_K_M"),
    "b.Q4_K_M": LYING,
    "c.Q8_0": ModelFacts(quantisation="Q8_0", maker="bartowski"),
    "d-UD-Q4_K_XL": ModelFacts(quantisation="UD-Q4_K_XL", maker="unsloth"),
    "e": ModelFacts(quantisation="bf16"),
}


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> list[ModelInfo]:
    monkeypatch.setattr(labels, "facts_of", lambda model: FACTS[model.name])
    return [ModelInfo(n, n, f"/m/{n}.gguf", ModelType.GGUF, 98_000_000) for n in FACTS]


def test_a_line_names_quantisation_and_maker(models: list[ModelInfo]) -> None:
    assert [kind_line(model) for model in models] == [
        "GGUF · Q4_K_M · 98 MB",
        "GGUF · Q4_K_M (doubtful) · 98 MB",
        "GGUF · Q8_0 by bartowski · 98 MB",
        "GGUF · UD-Q4_K_XL · 98 MB",
        "GGUF · bf16 · 98 MB",
    ]


def test_a_lying_name_stands_beside_the_truth() -> None:
    assert quantisation_line(LYING) == "Q4_K_M, really Q8_0"
    assert quantisation_line(ModelFacts(quantisation="Q8_0")) == "Q8_0"
    assert quantisation_line(ModelFacts()) == ""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Q8_0", ["c.Q8_0", "a-Q8_0-Q4_K_XL-merge.Q4_K_M"]),
        ("q4_k_m", ["a-Q8_0-Q4_K_XL-merge.Q4_K_M", "b.Q4_K_M"]),
        ("Q4_K_XL", ["d-UD-Q4_K_XL", "a-Q8_0-Q4_K_XL-merge.Q4_K_M"]),
        ("unsloth", ["d-UD-Q4_K_XL"]),
        ("c bartowski Q8_0", ["c.Q8_0"]),
        ("BF16", ["e"]),
        ("nothing", []),
        ("", list(FACTS)),
    ],
)
def test_what_is_called_exactly_so_comes_first(
    models: list[ModelInfo], words: str, found: list[str]
) -> None:
    assert [model.name for model in ranked(models, words)] == found


def test_typing_a_quantisation_finds_it_first_in_the_pages_lists(models: list[ModelInfo]) -> None:
    """The lists of the page show what contains the letters typed, in their own order."""
    plain = [model for model in models if "merge" not in model.name]
    lines = [f"{model.name} · {kind_line(model)}" for model in plain]
    assert [line for line in lines if "q8_0" in line.lower()] == [lines[1]]
