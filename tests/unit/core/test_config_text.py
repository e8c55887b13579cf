"""Settings written as text."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.core.config_text import (
    parse_assignment,
    parse_settings,
    stop_strings,
    whole_number,
)
from comparator.core.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("temperature=0.2 seed=3", {"temperature": 0.2, "seed": 3}),
        ("temperature = 0.2, seed = 3;top_k=1\n", {"temperature": 0.2, "seed": 3, "top_k": 1}),
        ("greedy", {"do_sample": False}),
        ("use_gpu=no do-sample=True", {"use_gpu": False, "do_sample": True}),
        ("thinking=off", {"thinking": "off"}),
        ("thinking=ON use_gpu=on", {"thinking": "on", "use_gpu": True}),
        ('thinking="auto" reasoning_effort=low', {"thinking": "auto", "reasoning_effort": "low"}),
        ('template_args={"a": [1]} seed=1', {"template_args": {"a": [1]}, "seed": 1}),
        ("seed=null n_threads=None", {"seed": None, "n_threads": None}),
        ("torch_dtype=float32", {"torch_dtype": "float32"}),
        ('stop=["a b","\\n"] seed=1', {"stop": ["a b", "\n"], "seed": 1}),
        (
            'system_prompt="Answer in French, please."',
            {"system_prompt": "Answer in French, please."},
        ),
        ("lora=polite:0.5 seed=1", {"lora": ["polite:0.5"], "seed": 1}),
        ('lora=["a", "b c:2"]', {"lora": ["a", "b c:2"]}),
        ("sampling=maker", {"sampling": "maker"}),
        ("max_tokens=none n_ctx=fit", {"max_tokens": None, "n_ctx": None}),
        ('template_args={"a": {"b": [1]}} seed=1', {"template_args": {"a": {"b": [1]}}, "seed": 1}),
        ("system_prompt='It\\'s you' seed=1", {"system_prompt": "It's you", "seed": 1}),
    ],
)
def test_what_is_understood(text: str, settings: dict[str, Any]) -> None:
    assert parse_settings(text) == settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("temprature=1", "Did you mean temperature"),
        ("temperature=9", "temperature must be between"),
        ("temperature=hot", "temperature must be between"),
        ("seed", "seed has no value"),
        ("lora=polite:nan", "lora must be a list of at most 8 adapters"),
        ("n_ctx=lots", "n_ctx must be a number of tokens"),
        ("seed=1 seed=2", "given twice"),
        ("=3", "name=value"),
        ("stop=[", "Cannot read the value"),
        ("seed=", "Cannot read the value"),
        ('system_prompt="open', "Cannot read the value"),
        ("stop=" + "[" * 5000, "Cannot read the value"),
        ("x" * 10_001, "10000 characters"),
    ],
)
def test_what_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("[", r"\[")):
        parse_settings(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=3", (None, {"seed": 3})),
        ("2.seed=3", (2, {"seed": 3})),
        ("12.greedy", (12, {"do_sample": False})),
        ('1.stop=["a.b"]', (1, {"stop": ["a.b"]})),
    ],
)
def test_a_number_before_a_setting_names_one_model(text: str, expected: Any) -> None:
    assert parse_assignment(text) == expected


def test_stop_strings_are_lines() -> None:
    assert stop_strings("a\n\n b\\tc\n") == ["a", " b\tc"]


@pytest.mark.parametrize(
    ("value", "number"), [(" 12 ", 12), (7, 7), ("", None), (None, None), ("9" * 20, 10**20 - 1)]
)
def test_a_field_for_a_number_may_be_empty(value: Any, number: int | None) -> None:
    assert whole_number("seed", value) == number


@pytest.mark.parametrize("value", ["1.5", "-1", "x", "³", "9" * 21, [1]])
def test_what_is_no_whole_number_is_refused_by_the_fields_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="seed must be a whole number or empty, not"):
        whole_number("seed", value)
