"""From what a visitor sends to models and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comparator.core.exceptions import MultiLLMError
from comparator.hosting.requests import (
    from_endpoint,
    from_page,
    models_and_configs,
    refuse_foreign_code,
    stop_strings,
)
from comparator.services.model_manager import ModelManager


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.echo.json").write_text("{}")
    (tmp_path / "empty.gguf").touch()
    manager = ModelManager(tmp_path)
    manager.scan_models()
    return manager


def _ask(manager: ModelManager, *arguments: Any) -> Any:
    return models_and_configs(from_endpoint(*arguments), manager)


def test_names_and_ids_and_the_same_model_twice(manager: ModelManager) -> None:
    beta = next(model for model in manager.available_models if model.name == "beta")
    config = {"seed": 1, "per_model": {"beta#2": {"seed": 2}, beta.id: {"top_k": 7}}}
    models, configs = _ask(manager, "hi", ["beta", "beta", beta.id], "", config)
    assert [model.id for model in models] == [beta.id, f"{beta.id}#2", f"{beta.id}#3"]
    assert [configs[model.id].seed for model in models] == [1, 2, 1]
    assert configs[f"{beta.id}#3"].top_k == 7


def test_models_may_be_json_text(manager: ModelManager) -> None:
    models, _configs = _ask(manager, "hi", '["alpha", "beta"]', None, None)
    assert [model.name for model in models] == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((5, ["alpha"], "", {}), "prompt must be text, not a number"),
        (({"a": 1}, ["alpha"], "", {}), "prompt must be text, not an object"),
        (("hi", 5, "", {}), "models must be a list"),
        (("hi", [{"id": "alpha"}], "", {}), "models must be a list"),
        (("hi", [], "", {}), "Choose at least one model"),
        (("hi", ["alpha"] * 5, "", {}), "Choose up to 4 models"),
        (("hi", ["gamma"], "", {}), "No model 'gamma'. There are: alpha, beta"),
        (("hi", ["/etc/passwd"], "", {}), "No model '/etc/passwd'"),
        (("hi", ["empty"], "", {}), "empty cannot be loaded"),
        (("hi", ["alpha"], 5, {}), "system_prompt must be text"),
        (("hi", ["alpha"], "", [1]), "config must be an object"),
        (("hi", ["alpha"], "", {"temprature": 1}), "Did you mean temperature"),
        (("hi", ["alpha"], "", {"max_tokens": -1}), "max_tokens must be"),
        (("hi", ["alpha"], "", {"together": 1}), "together must be true or false"),
        (("hi", ["alpha"], "", {"per_model": {"beta": {}}}), "not among the models asked"),
        (("hi", ["alpha"], "", {"per_model": {"alpha": 3}}), "must be an object"),
    ],
)
def test_what_an_endpoint_refuses(manager: ModelManager, arguments: Any, words: str) -> None:
    with pytest.raises(MultiLLMError, match=words):
        _ask(manager, *arguments)


def test_a_path_is_no_model_even_where_it_is_one(manager: ModelManager) -> None:
    with pytest.raises(MultiLLMError, match="No model"):
        _ask(manager, "hi", [manager.available_models[0].path], "", {})


def test_the_page_form(manager: ModelManager) -> None:
    first = manager.available_models[0].id
    form = {
        "temperature": 0.5,
        "seed": " 12 ",
        "n_threads": "",
        "stop": "a\\n\n\nb",
        "greedy": True,
    }
    question = from_page("hi", "be brief", [(first, "seed=3"), ("", "x"), (None, "")], form, True)
    models, configs = models_and_configs(question, manager)
    config = configs[models[0].id]
    assert len(models) == 1
    assert (config.temperature, config.seed, config.n_threads) == (0.5, 3, None)
    assert (config.stop, config.do_sample, config.system_prompt) == (
        ["a\n", "b"],
        False,
        "be brief",
    )


def test_the_page_form_says_which_model_has_wrong_settings() -> None:
    with pytest.raises(MultiLLMError, match="Own settings of model 2: Unknown setting 'sed'"):
        from_page("hi", "", [("a", ""), ("b", "sed=3")], {}, False)


def test_a_seed_that_is_no_number() -> None:
    with pytest.raises(MultiLLMError, match=r"seed must be a whole number or empty, not '1\.5'"):
        from_page("hi", "", [("a", "")], {"seed": "1.5"}, False)


@pytest.mark.parametrize(
    "config",
    [
        {"trust_remote_code": True},
        {"trust_remote_code": "yes"},
        {"per_model": {"alpha": {"trust_remote_code": True}}},
    ],
)
def test_a_models_own_code_is_refused_in_public(config: Any) -> None:
    with pytest.raises(MultiLLMError, match="trust_remote_code is refused on a page that others"):
        refuse_foreign_code(from_endpoint("hi", ["alpha"], "", config))


def test_what_asks_for_no_code_is_taken_in_public() -> None:
    refuse_foreign_code(from_endpoint("hi", ["alpha"], "", {"trust_remote_code": False}))
    refuse_foreign_code(from_page("hi", "", [("a", "seed=3")], {}, False))
    with pytest.raises(MultiLLMError, match="refused"):
        refuse_foreign_code(from_page("hi", "", [("a", "trust_remote_code=true")], {}, False))


def test_stop_strings_are_lines() -> None:
    assert stop_strings("a\n\n b\\tc\n") == ["a", " b\tc"]
