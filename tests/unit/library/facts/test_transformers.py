"""Facts of transformers directories, compared with what transformers makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import change_json, write_directory

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.formats import safetensors_header
from comparator.library.facts.store import read_facts
from comparator.library.facts.values import ModelFacts

TOKENS = 20
WINDOW = 32
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OLD = {"vocab_size": 64, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128}
MODELS: dict[str, dict[str, Any]] = {
    "llama": SHAPE,
    "mistral": {**SHAPE, "sliding_window": WINDOW},
    "qwen2": SHAPE,
    "qwen3": {**SHAPE, "head_dim": 16},
    "gemma2": {**SHAPE, "head_dim": 16, "sliding_window": WINDOW},
    "gemma3_text": {**SHAPE, "head_dim": 16, "sliding_window": WINDOW},
    "cohere2": {**SHAPE, "sliding_window": WINDOW},
    "gpt2": {**OLD, "bos_token_id": 1, "eos_token_id": 2},
    "phi3": {**SHAPE, "sliding_window": WINDOW},
    "deepseek_v3": {
        **SHAPE,
        "num_key_value_heads": 4,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 8,
        "v_head_dim": 8,
        "first_k_dense_replace": 6,
    },
}
MODELS["deepseek_v2"] = MODELS["deepseek_v3"]


def as_directory(path: Path) -> ModelInfo:
    return ModelInfo("", path.name, str(path), ModelType.PYTORCH, 1)


def cached_bytes(model: Any, tokens: int) -> int:
    """Return what transformers keeps of so many tokens, in numbers of 16 bits."""
    import torch

    with torch.no_grad():
        output = model(torch.ones((1, tokens), dtype=torch.long), use_cache=True)
    cache = next(output[name] for name in ("cache", "past_key_values") if name in output)
    return sum(2 * (layer.keys.numel() + layer.values.numel()) for layer in cache.layers)


@pytest.mark.parametrize("name", MODELS)
def test_the_facts_are_those_of_transformers(tmp_path: Path, name: str) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **MODELS[name])).eval()
    model.save_pretrained(tmp_path)
    facts = read_facts(as_directory(tmp_path))
    config = model.config
    assert facts.architecture == config.model_type == name
    assert facts.layers == config.num_hidden_layers
    assert facts.heads == config.num_attention_heads
    assert facts.embedding_length == config.hidden_size
    assert facts.vocabulary_size == config.vocab_size
    assert facts.context_length == config.max_position_embeddings
    assert facts.parameters == sum(p.numel() for p in model.parameters())
    assert (facts.quantisation, facts.bits_per_weight) == ("fp32", 32.0)
    assert (facts.purpose, facts.needs_remote_code) == ("language", False)
    assert facts.cache_bytes(TOKENS) == cached_bytes(model, TOKENS) > 0
    beyond = facts.cache_bytes(2 * WINDOW)
    windowed = sum(size for size, window in facts.cache_layers if window)
    # transformers keeps one token less than the window, since the next one is always there
    assert beyond - windowed == cached_bytes(model, 2 * WINDOW)


def test_layers_of_a_later_version_count_as_full_attention(tmp_path: Path) -> None:
    kinds = ["full_attention", "attention_of_tomorrow", "conv", "linear_attention", "mlp", "moe"]
    content = {**SHAPE, "model_type": "llama", "layer_types": kinds}
    (tmp_path / "config.json").write_text(json.dumps(content))
    full = {**content, "layer_types": ["full_attention"] * 2, "num_hidden_layers": 2}
    found = read_facts(as_directory(tmp_path)).cache_bytes(TOKENS)
    (tmp_path / "config.json").write_text(json.dumps(full))
    assert found == read_facts(as_directory(tmp_path)).cache_bytes(TOKENS) > 0


def test_facts_that_no_configuration_holds(tmp_path: Path) -> None:
    write_directory(tmp_path, template="{{ messages }}")
    change_json(
        tmp_path / "config.json", auto_map={"AutoModel": "x.Y"}, _name_or_path="org/Some-7B"
    )
    (tmp_path / "README.md").write_text("---\nlicense: mit\nbase_model: org/Base\n---\nText")
    facts = read_facts(as_directory(tmp_path))
    assert (facts.licence, facts.base_model, facts.kind) == ("mit", "org/Base", "chat")
    assert (facts.family, facts.needs_remote_code) == ("Some-7B", True)


@pytest.mark.parametrize(
    ("classes", "more", "purpose"),
    [
        (["BertModel"], {"model_type": "bert"}, "embedding"),
        (["BertForMaskedLM"], {"model_type": "bert"}, "masked language"),
        (["XLMRobertaForSequenceClassification"], {"id2label": {"0": "a"}}, "reranker"),
        (["XForSequenceClassification"], {"id2label": {"0": "a", "1": "b"}}, "classifier"),
        (["T5ForConditionalGeneration"], {"is_encoder_decoder": True}, "encoder-decoder"),
        (["CLIPModel"], {"model_type": "clip"}, "vision encoder"),
        (["LlamaForCausalLM"], {"model_type": "llama"}, "language"),
        (["WhisperForConditionalGeneration"],
         {"model_type": "whisper", "is_encoder_decoder": True}, "speech"),
        (["Wav2Vec2ForCTC"], {"model_type": "wav2vec2"}, "speech"),
        (["ViTForImageClassification"], {"model_type": "vit"}, "vision encoder"),
        (["DetrForObjectDetection"], {"model_type": "detr"}, "vision encoder"),
        (["SegformerForSemanticSegmentation"], {}, "vision encoder"),
        (["BertForQuestionAnswering"], {"model_type": "bert"}, "classifier"),
        (["LLaDAModelLM"], {"model_type": "llada"}, "diffusion language"),
        (["DreamModel"], {"model_type": "Dream"}, "diffusion language"),
        (["SegGptForCausalLM"], {"model_type": "segments"}, "language"),
        (["Gemma3ForConditionalGeneration"], {"model_type": "gemma3"}, "language and images"),
        (["LlamaForCausalLMEagle3"], {"model_type": "llama"}, "draft head"),
        (["Gemma4AssistantForCausalLM"], {"model_type": "gemma4_assistant"}, "draft head"),
        (["Qwen3_5MTP"], {"model_type": "qwen3_5_mtp"}, "draft head"),
        (["MedusaModel"], {}, "draft head"),
        (["MLPSpeculatorPreTrainedModel"], {"model_type": "mlp_speculator"}, "draft head"),
        (["Eagle2_5_VLForConditionalGeneration"], {"model_type": "eagle_2_5_vl"},
         "language and images"),
    ],
)  # fmt: skip
def test_purposes(tmp_path: Path, classes: list[str], more: dict[str, Any], purpose: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": classes, **more}))
    assert read_facts(as_directory(tmp_path)).purpose == purpose
    (tmp_path / "modules.json").write_text("[]")
    assert read_facts(as_directory(tmp_path)).purpose == "embedding"


def test_a_pickle_by_the_name_of_safetensors_is_no_source_of_facts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04\x95" + b"x" * 100)
    facts = read_facts(as_directory(tmp_path))
    assert (facts.architecture, facts.parameters) == ("llama", None)


@pytest.mark.parametrize(
    "content", [b"", b"\x02", b"\xff" * 8 + b"{}", b"\x02" + bytes(7) + b"[]", b"\x09" + bytes(7)]
)
def test_a_header_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match="is not a safetensors file"):
        safetensors_header.read_sizes(path)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = (
    "model_type", "architectures", "text_config", "num_hidden_layers", "num_attention_heads",
    "head_dim", "dtype", "hidden_size", "layer_types", "sliding_window", "quantization_config",
    "auto_map", "id2label", "vocab_size", "_name_or_path", "num_key_value_heads",
    "sliding_window_pattern", "num_kv_shared_layers",
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(config=st.dictionaries(st.sampled_from(_NAMES), _values))
def test_any_config_gives_facts_or_none(tmp_path: Path, config: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    facts = read_facts(as_directory(tmp_path))
    assert isinstance(facts.cache_bytes(1000), int)
    assert replace(facts) == facts


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(content=st.binary(max_size=200))
def test_any_bytes_as_config_give_no_facts(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    facts = read_facts(as_directory(tmp_path))
    assert facts == ModelFacts() or content.lstrip().startswith(b"{")
