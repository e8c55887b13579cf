"""Which models are the same weights, and which of them to compare."""

from __future__ import annotations

from pathlib import Path

import pytest
from wide_gguf import write_wide_gguf

from comparator.core.models import ModelInfo, ModelType
from comparator.library import discovery
from comparator.library.facts.lookup import facts_of
from comparator.library.facts.values import ModelFacts
from comparator.library.families import families, ladder
from comparator.library.names import key_of, plain_name


def known(*entries: tuple[str, ModelFacts]):
    """Make models with given facts."""
    models = [ModelInfo(n, n, f"/m/{n}", ModelType.GGUF, 1) for n, _facts in entries]
    table = dict(entries)
    return models, lambda model: table[model.name]


def test_the_starter_models_are_one_family(starter_models_dir: Path) -> None:
    models = discovery.scan(starter_models_dir).models
    found = [family for family in families(models) if "SmolLM2" in family.name]
    assert [[member.name for member in family.members] for family in found] == [
        [f"SmolLM2-135M-Instruct{end}" for end in ("", ".Q8_0", ".Q4_1", ".Q2_K")]
    ]
    rungs = ladder(found[0])
    assert len(rungs) == 3
    assert (rungs[0], rungs[-1]) == (found[0].members[0], found[0].members[-1])
    assert ladder(found[0], 1) == found[0].members[:1]


def test_every_file_that_differs_is_a_rung(tmp_path: Path) -> None:
    """Three files of one base and one recipe, by three makers."""
    names = ("X.Q4_K_M", "X.i1-Q4_K_M", "X-UD-Q4_K_XL")
    for name in names:
        write_wide_gguf(tmp_path / f"{name}.gguf")
    models = discovery.scan(tmp_path).models
    (family,) = families(models)
    assert {member.name for member in family.members} == set(names)
    assert {model.name for model in ladder(family)} == set(names)
    assert {(facts_of(m).quantisation, facts_of(m).maker) for m in models} == {
        ("Q4_K_M", None),
        ("i1-Q4_K_M", "mradermacher"),
        ("UD-Q4_K_XL", "unsloth"),
    }


def test_one_label_of_two_makers_is_two_rungs_and_a_copy_is_none() -> None:
    shape = {"family": "X", "quantisation": "Q4_K_M", "bits_per_weight": 4.8}
    one, other = ModelFacts(maker="bartowski", **shape), ModelFacts(maker="unsloth", **shape)
    places = (("a", one), ("b", other), ("copies", one))
    models = [
        ModelInfo(place, "X.Q4_K_M", f"/{place}/X.Q4_K_M.gguf", ModelType.GGUF, 1)
        for place, _facts in places
    ]
    table = dict(places)
    (family,) = families(models, lambda model: table[model.id])
    assert len(family.members) == 3
    rungs = ladder(family, 4, lambda model: table[model.id])
    assert [model.id for model in rungs] == ["a", "b"]
    assert [model.id for model in ladder(family, 2, lambda model: table[model.id])] == ["a", "b"]


def test_metadata_come_before_names() -> None:
    shape = {"layers": 2, "embedding_length": 8}
    models, facts = known(
        ("x-file", ModelFacts(family="Some 7B Instruct", bits_per_weight=4.5, **shape)),
        ("y-file", ModelFacts(family="some-7b-instruct", bits_per_weight=8.5, **shape)),
        ("Some-7B-Instruct.Q2_K", ModelFacts(bits_per_weight=2.5, **shape)),
        ("Some-7B", ModelFacts(family="Some 7B", bits_per_weight=16.0, **shape)),
        ("other.Q8_0", ModelFacts(family="Some 7B Instruct", layers=9, embedding_length=8)),
    )
    found = [[member.name for member in family.members] for family in families(models, facts)]
    assert sorted(found) == [
        ["Some-7B"],
        ["other.Q8_0"],
        ["y-file", "x-file", "Some-7B-Instruct.Q2_K"],
    ]


def test_a_model_can_join_two_groups() -> None:
    models, facts = known(
        ("a", ModelFacts(family="A")),
        ("b", ModelFacts(family="B")),
        ("b.Q8_0", ModelFacts(family="A")),
    )
    assert [len(family.members) for family in families(models, facts)] == [3]


def test_names_that_say_nothing_join_nothing() -> None:
    models, facts = known(("model", ModelFacts()), ("model.Q8_0", ModelFacts()))
    assert [len(family.members) for family in families(models, facts)] == [1, 1]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("org/Qwen3-4B-Instruct-2507-UD-Q4_K_XL.gguf", "Qwen3-4B-Instruct-2507"),
        ("Llama-3.2-1B-Instruct-GGUF", "Llama-3.2-1B-Instruct"),
        ("gemma-3-4b-it.i1-IQ3_M", "gemma-3-4b-it"),
        ("Mistral-7B-v0.1-AWQ", "Mistral-7B-v0.1"),
        ("phi-4.BF16", "phi-4"),
        ("Q8_0", "Q8_0"),
    ],
)
def test_plain_names(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_base_and_chat_are_two_families() -> None:
    assert key_of("SmolLM2-135M") != key_of("SmolLM2-135M-Instruct")
    assert key_of("SmolLM2 135M Instruct") == key_of("smollm2-instruct-135m.Q4_K_M")
