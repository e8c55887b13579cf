"""Which arguments a chat template knows, and what the settings mean to it."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, InferenceError
from comparator.formats.chat_template import LONGEST_SOURCE
from runners.engines.template_arguments import arguments_of, known_arguments

TURNS = "{{ bos_token }}{% for m in messages %}{{ m.role + m['content'] }}{% endfor %}"
QWEN = TURNS + (
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
DEEPSEEK = (
    "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    "{% set ns = namespace(first=true) %}" + TURNS + "{% if thinking %}<think>{% endif %}"
)
GPT_OSS = (
    "{%- macro build_system_message() -%}{%- if reasoning_effort is not defined %}"
    '{%- set reasoning_effort = "medium" %}{%- endif %}{{ "Reasoning: " + reasoning_effort }}'
    "{{ strftime_now('%Y-%m-%d') }}{% if model_identity is defined %}{{ model_identity }}"
    "{% endif %}{%- endmacro -%}{{ build_system_message() }}{% if tools %}t{% endif %}" + TURNS
)
COMMAND_A = "{% set thoughts = reasoning if reasoning is defined else true %}" + TURNS
LING = "{% set thinking_option = thinking_option or 'on' %}{{ thinking_option }}" + TURNS
SMOL = (
    "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
    "{% if messages[0].role == 'system' %}{% set system_message = messages[0].content %}"
    "{% if enable_thinking %}{% set a, b = 1, 2 %}{% set c %}x{% endset %}{% endif %}{% endif %}"
    "{% if '/system_override' in system_message %}{{ a }}{{ b }}{{ c }}{% endif %}" + TURNS
)
LATE = (
    "{% if '/no_think' in messages[0].content %}{% set enable_thinking = false %}"
    "{% elif enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
    "{% if messages[0].role == 'system' %}{% set name = name or 'x' %}{% endif %}"
    "{{ enable_thinking }}{{ name }}" + TURNS
)
TRAINING = (
    "{% for m in messages %}{% if m.role == 'tool' %}{% continue %}{% endif %}"
    "{% generation %}{{ m.content }}{% if enable_thinking %}!{% endif %}{% endgeneration %}"
    "{% endfor %}"
)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (TURNS, set()),
        (QWEN, {"enable_thinking"}),
        (DEEPSEEK, {"thinking"}),
        (GPT_OSS, {"reasoning_effort", "model_identity"}),
        (COMMAND_A, {"reasoning"}),
        (LING, {"thinking_option"}),
        (SMOL, {"enable_thinking"}),
        (LATE, {"enable_thinking", "name"}),
        (TRAINING, {"enable_thinking"}),
        ("{% for thinking in messages %}{{ thinking.enable_thinking }}{% endfor %}", set()),
        ("{% set thinking = 1 %}{{ thinking }}{{ range(3) }}", set()),
        ("", set()),
    ],
)
def test_a_templates_arguments_are_read_from_its_source(source: str, names: set[str]) -> None:
    assert known_arguments(source) == names


@pytest.mark.parametrize(
    ("source", "settings", "arguments"),
    [
        (QWEN, {}, {}),
        (QWEN, {"thinking": "off"}, {"enable_thinking": False}),
        (QWEN, {"thinking": "on"}, {"enable_thinking": True}),
        (DEEPSEEK, {"thinking": "on"}, {"thinking": True}),
        (COMMAND_A, {"thinking": "off"}, {"reasoning": False}),
        (LING, {"thinking": "off"}, {"thinking_option": "off"}),
        (GPT_OSS, {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        (
            GPT_OSS,
            {"reasoning_effort": "high", "template_args": {"model_identity": "You are x."}},
            {"reasoning_effort": "high", "model_identity": "You are x."},
        ),
        (
            QWEN,
            {"thinking": "off", "template_args": {"enable_thinking": False}},
            {"enable_thinking": False},
        ),
        (None, {}, {}),
        ("{% broken", {}, {}),
    ],
)
def test_settings_become_the_arguments_that_the_template_knows(
    source: str | None, settings: dict[str, Any], arguments: dict[str, Any]
) -> None:
    assert arguments_of(ModelConfig(**settings), source) == arguments


@pytest.mark.parametrize(
    ("source", "settings", "words"),
    [
        (TURNS, {"thinking": "off"}, r"does not know thinking=off: it takes no arguments\. Leave"),
        (GPT_OSS, {"thinking": "off"}, r"thinking=off: it takes model_identity, reasoning_effort"),
        (QWEN, {"reasoning_effort": "low"}, r"reasoning_effort=low: it takes enable_thinking"),
        (QWEN, {"template_args": {"colour": 1}}, r"template_args with colour: it takes enable"),
        (QWEN, {"template_args": {"messages": []}}, r"must not set messages"),
        (QWEN, {"template_args": {"bos_token": "x"}}, r"must not set bos_token"),
        (QWEN, {"template_args": {"add_generation_prompt": False}}, r"must not set add_gen"),
        (QWEN, {"template_args": {"tokenize": True}}, r"must not set tokenize"),
        (
            QWEN,
            {"thinking": "on", "template_args": {"enable_thinking": False}},
            r"enable_thinking=False, and another setting says enable_thinking=True",
        ),
        (None, {"thinking": "on"}, r"no chat template is used here"),
    ],
)
def test_what_a_template_does_not_know_is_refused_by_name(
    source: str | None, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        arguments_of(ModelConfig(**settings), source)


@pytest.mark.parametrize(
    "source",
    ["{% if %}", "{{ 'a' | nobody_knows_this }}", "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"],
)
def test_a_template_that_cannot_be_read_is_told_in_a_sentence(source: str) -> None:
    with pytest.raises(InferenceError, match="chat template cannot be read"):
        known_arguments(source)


def test_a_template_beyond_any_length_is_not_read() -> None:
    with pytest.raises(InferenceError, match="the limit is 1000000"):
        known_arguments(" " * (LONGEST_SOURCE + 1))


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10**12 }}{{ enable_thinking }}",
        "{{ 'x' | center(10**12) }}{{ enable_thinking }}",
        "{{ '%1000000000000d' | format(1) }}{{ enable_thinking }}",
        "{{ 9**9**9**9 }}{{ enable_thinking }}",
        "{% for i in range(10**12) %}x{% endfor %}{{ enable_thinking }}",
    ],
)
def test_reading_a_template_computes_nothing(source: str) -> None:
    assert known_arguments(source) == {"enable_thinking"}


def test_a_list_of_many_names_is_not_told_whole() -> None:
    source = "".join(f"{{{{ name_{number:03} }}}}" for number in range(100))
    with pytest.raises(ConfigurationError, match=r"name_011 and 88 more"):
        arguments_of(ModelConfig(thinking="on"), source)
