"""Settings written as text."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.core.config_text import parse_settings
from comparator.core.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("temperature=0.2 seed=3", {"temperature": 0.2, "seed": 3}),
        ("temperature = 0.2, seed = 3;top_k=1\n", {"temperature": 0.2, "seed": 3, "top_k": 1}),
        ("greedy", {"do_sample": False}),
        ("use_gpu=no do-sample=True", {"use_gpu": False, "do_sample": True}),
        ("seed=null n_threads=None", {"seed": None, "n_threads": None}),
        ("torch_dtype=float32", {"torch_dtype": "float32"}),
        ('stop=["a b","\\n"] seed=1', {"stop": ["a b", "\n"], "seed": 1}),
        (
            'system_prompt="Answer in French, please."',
            {"system_prompt": "Answer in French, please."},
        ),
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
