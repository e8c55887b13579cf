"""Facts of a transformers directory, from its small files alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.lookup import ModelFacts, facts_of, read_config


@pytest.fixture
def facts(tmp_path):
    def look(config, **files):
        (tmp_path / "config.json").write_text(json.dumps(config))
        for name, content in files.items():
            (tmp_path / name.replace("__", ".")).write_text(content)
        os.utime(tmp_path, ns=(0, look.stamp))
        look.stamp += 1  # facts are remembered until the folder changes
        return facts_of(ModelInfo("", "m", str(tmp_path), ModelType.PYTORCH, 1))

    look.stamp = 1
    return look


def test_a_llama(facts):
    found = facts(
        {
            "model_type": "llama",
            "dtype": "bfloat16",
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "hidden_size": 576,
            "max_position_embeddings": 8192,
        },
        chat_template__jinja="{{ messages }}",
    )
    per_token = 2 * 30 * 3 * 64 * 2
    assert (found.architecture, found.quantisation, found.kind) == ("llama", "bf16", "chat")
    assert (found.context_length, found.layers, found.embedding_length) == (8192, 30, 576)
    assert (found.heads, found.key_value_heads, found.has_chat_template) == (9, 3, True)
    assert found.cache_bytes(100) == 100 * per_token


def test_layers_with_a_window_keep_no_more_than_it(facts):
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    shape = {"num_hidden_layers": 6, "num_attention_heads": 1, "head_dim": 10}
    found = facts({**shape, "layer_types": kinds, "sliding_window": 50})
    assert found.cache_bytes(1000) == 2 * 10 * 2 * (1000 + 5 * 50)
    assert found.cache_bytes(20) == 2 * 10 * 2 * 6 * 20
    assert facts({**shape, "layer_types": "odd"}).cache_bytes(20) == 2 * 10 * 2 * 6 * 20


def test_older_names_and_a_given_head_size(facts):
    found = facts({"model_type": "gpt2", "n_layer": 2, "n_head": 4, "n_embd": 64, "n_ctx": 128})
    assert (found.layers, found.context_length) == (2, 128)
    assert found.cache_bytes(1) == 2 * 2 * 4 * 16 * 2
    assert found.has_chat_template is False
    gemma = facts({"num_hidden_layers": 1, "num_attention_heads": 2, "head_dim": 256})
    assert gemma.cache_bytes(1) == 2 * 1 * 2 * 256 * 2


def test_a_model_of_text_and_images_is_asked_for_its_text_part(facts):
    text = {"num_hidden_layers": 5, "max_position_embeddings": 77}
    assert facts({"model_type": "vl", "text_config": text}).layers == 5


def test_a_template_in_the_tokenizers_file(facts):
    assert facts({}, tokenizer_config__json='{"chat_template": "x"}').has_chat_template


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": "2", "dtype": ["x"], "model_type": 7},
        {"num_hidden_layers": -1, "num_attention_heads": 0, "hidden_size": "5"},
        {"text_config": [], "quantization_config": {"quant_method": {}}},
        {"num_hidden_layers": True},
        {},
    ],
)
def test_values_of_the_wrong_type_are_no_facts(facts, config):
    found = facts(config)
    assert replace(found, family=None, kind=None, purpose=None) == ModelFacts(
        has_chat_template=False
    )


def test_a_quantised_model(facts):
    assert facts({"quantization_config": {"quant_method": "gptq"}}).quantisation == "GPTQ"


def test_what_cannot_be_read_has_no_facts(tmp_path):
    for kind in ModelType:
        assert facts_of(ModelInfo("", "m", str(tmp_path / "x"), kind, 1)) == ModelFacts()
    assert facts_of(ModelInfo("", "m", str(tmp_path), ModelType.PYTORCH, 1)) == ModelFacts()


def test_a_config_of_gigabytes_is_not_read(tmp_path):
    (tmp_path / "config.json").touch()
    os.truncate(tmp_path / "config.json", 4 * 1024**3)
    with pytest.raises(ModelLoadError, match="larger than any config"):
        read_config(tmp_path)
