"""ModelConfig: every field has good and bad values, and nothing unknown passes."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError

NAN, INFINITY = float("nan"), float("inf")
NO_BOOLEANS = [None, 0, 1, "true", []]

# field -> (good values, bad values)
TABLE = {
    "temperature": ([0, 0.0, 0.1, 0.7, 1, 2.0], [-1, 0.05, 2.01, 1e9, NAN, INFINITY, True, "1"]),
    "max_tokens": ([None, 1, 512, 4096], [0, -1, 4097, 10**9, 1.5, 1.0, True, "512", NAN]),
    "top_p": ([0.0001, 0.9, 1], [0, -0.1, 1.01, 2, NAN, None, True, "0.9"]),
    "do_sample": ([True, False], NO_BOOLEANS),
    "pad_token_id": ([None, 0, 2**31 - 1], [-1, 2**31, 1.0, True, "0"]),
    "eos_token_id": ([None, 0, 2**31 - 1], [-1, 2**31, 1.0, True, [2]]),
    "top_k": ([0, 40, 1_000_000], [-5, -1, 1_000_001, 40.0, True, None]),
    "repeat_penalty": ([0.1, 1, 1.1, 10.0], [0, -1, 0.09, 10.1, NAN, INFINITY, True, None]),
    "n_ctx": ([None, 1, 2048, 16_777_216], [0, -1, 16_777_217, 2 * 10**9, 2048.0, True]),
    "n_threads": ([None, 1, 1024], [0, -1, 1025, 2.0, True]),
    "use_gpu": ([True, False], NO_BOOLEANS),
    "low_cpu_mem_usage": ([True, False], NO_BOOLEANS),
    "torch_dtype": (["auto", "bfloat16", "float16", "float32"], ["int8", "", None, 16, ["auto"]]),
    "min_p": ([0, 0.05, 1.0], [-0.1, 1.1, NAN, True, None]),
    "seed": ([None, 0, 2**32 - 2], [-1, 2**32 - 1, 2**40, 1.0, True, "1"]),
    "stop": (
        [[], ["\n"], ("a", "b"), ["x"] * 16, ["x" * 200]],
        ["\n", [""], ["x"] * 17, ["x" * 201], [1], None, {"a"}],
    ),
    "system_prompt": (["", "你好"], [None, 1, ["a"]]),
    "prompt_format": (["auto", "chat", "plain"], ["raw", "", None, 1]),
    "n_gpu_layers": ([None, -1, 0, 100_000], [-2, 100_001, 1.0, True, "all"]),
    "trust_remote_code": ([True, False], NO_BOOLEANS),
    "sampling": (["given", "maker"], ["", None, "Maker", 1]),
    "thinking": (["auto", "on", "off"], ["", None, True, "yes"]),
    "reasoning_effort": ([None, "low", "very_high"], ["", 1, "Low", "a b", "x" * 21]),
    "template_args": (
        [{}, {"a": 1}, {"tools": [{"b": None}]}],
        [None, [], {"a b": 1}, {1: 2}, {"a": NAN}, {"a": {1}}, {"a": "x" * 20_000}],
    ),
    "kv_cache_type": (["f16", "q8_0", "q4_0"], ["Q8_0", "q5_0", "", None, 8]),
    "lora": (
        [[], ["a.gguf"], ("a", "b:0.5"), ["C:\\x"], ["a:-100"], ["x"] * 8],
        ["a", None, [""], ["x"] * 9, [1], ["a:nan"], ["a:inf"], ["a:101"], ["x" * 4097]],
    ),
}


def test_the_table_has_every_field():
    assert list(TABLE) == [field.name for field in dataclasses.fields(ModelConfig)]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (good, _) in TABLE.items() for value in good]
)
def test_good_values_pass(name, value):
    ModelConfig(**{name: value}).validate()
    assert getattr(ModelConfig.from_dict({name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (_, bad) in TABLE.items() for value in bad]
)
def test_bad_values_are_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=rf"^{name} must be .*, not .*\.$") as caught:
        ModelConfig(**{name: value}).validate()
    assert isinstance(caught.value, ValueError)
    with pytest.raises(ConfigurationError, match=name):
        ModelConfig.from_dict({name: value})


def test_the_defaults_pass_and_are_the_documented_ones():
    config = ModelConfig()
    config.validate()
    assert (config.temperature, config.max_tokens, config.top_p) == (0.7, 512, 0.9)
    assert (config.top_k, config.repeat_penalty, config.n_ctx) == (40, 1.1, 2048)
    assert config.trust_remote_code is False


def test_every_field_is_described():
    for field in dataclasses.fields(ModelConfig):
        assert re.search(rf"^\s+{field.name}: ", inspect.getdoc(ModelConfig) or "", re.MULTILINE)


@pytest.mark.parametrize(
    ("given_name", "suggested"),
    [("temprature", "temperature"), ("max_token", "max_tokens"), ("topk", "top_k")],
)
def test_unknown_keys_get_a_suggestion(given_name, suggested):
    with pytest.raises(ConfigurationError, match=f"'{given_name}'.*Did you mean {suggested}?"):
        ModelConfig.from_dict({given_name: 1})


def test_an_unknown_key_without_a_relative_lists_what_is_known():
    with pytest.raises(ConfigurationError, match="Known: temperature, max_tokens"):
        ModelConfig.from_dict({"zzz": 1})
    with pytest.raises(ConfigurationError, match="Unknown setting"):
        ModelConfig.from_dict({7: 1})


def test_an_attribute_that_was_set_later_is_checked():
    config = ModelConfig()
    config.temprature = 0.5
    with pytest.raises(ConfigurationError, match="Did you mean temperature"):
        config.validate()


@pytest.mark.parametrize("values", [[], "temperature", 7, None])
def test_only_mappings_are_settings(values):
    with pytest.raises(ConfigurationError, match="must be a mapping"):
        ModelConfig.from_dict(values)


def test_long_values_are_shortened_in_the_message():
    with pytest.raises(ConfigurationError) as caught:
        ModelConfig(torch_dtype="x" * 1_000_000).validate()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("values", "greedy"),
    [({}, False), ({"do_sample": False}, True), ({"temperature": 0}, True)],
)
def test_greedy(values, greedy):
    assert ModelConfig(**values).is_greedy is greedy


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(TABLE)) | st.text(max_size=10), ANYTHING, max_size=4))
def test_any_mapping_is_accepted_or_refused_by_name(values):
    try:
        config = ModelConfig.from_dict(values)
    except ConfigurationError:
        return
    config.validate()
    assert set(values) <= set(TABLE)


class TestAsAnInferencerReadsThem:
    def test_what_is_missing_or_none_is_as_by_default(self):
        assert ModelConfig.of({}) == ModelConfig()
        assert ModelConfig.of({"top_k": None, "stop": None, "seed": 4}) == ModelConfig(seed=4)

    def test_none_is_none_where_it_says_that_there_is_no_limit(self):
        assert ModelConfig.of({"max_tokens": None}) == ModelConfig(max_tokens=None)
        assert ModelConfig.of({"n_ctx": None, "seed": 4}) == ModelConfig(n_ctx=None, seed=4)

    def test_what_is_no_setting_is_left_out(self):
        assert ModelConfig.of({"own": 1, "top_k": 3}) == ModelConfig(top_k=3)

    def test_settings_are_not_made_anew(self):
        config = ModelConfig(seed=4)
        assert ModelConfig.of(config) is config
