"""Facts of GGUF files of many architectures, and the same facts by package gguf."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy
import pytest
from bounds import Bounds
from cases import slow
from gguf import GGUFReader, GGUFWriter
from wide_gguf import write_wide_gguf, write_wide_shards

from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.store import read_facts

WINDOW, LAYERS, HEADS, HEAD = 64, 6, 2, 16
TOKEN = 2 * 2 * HEADS * HEAD  # bytes of a layer's keys and values
FULL = 1000


def write(path: Path, architecture: str, **more: Any) -> ModelInfo:
    """Write a header of six layers with more entries of its architecture."""
    writer = GGUFWriter(path, architecture)
    numbers = {"block_count": LAYERS, "context_length": 4096, "embedding_length": 64}
    own = {**numbers, "attention.head_count": 4, "attention.head_count_kv": HEADS, **more}
    for key, value in own.items():
        name = key if key.startswith("general.") else f"{architecture}.{key}"
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        else:
            writer.add_array(name, value)
    writer.add_tensor("blk.0.attn_q.weight", numpy.zeros((4, 64), numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return ModelInfo("", path.stem, str(path), ModelType.GGUF, 1)


def layers(full: int, windowed: int = 0) -> int:
    return TOKEN * (full * FULL + windowed * WINDOW)


SLIDING = {"attention.sliding_window": WINDOW}
CACHES: dict[str, tuple[dict[str, Any], int]] = {
    "llama": ({}, layers(6)),
    "qwen2": (SLIDING, layers(6)),
    "phi3": (SLIDING, layers(6)),
    "gemma2": (SLIDING, layers(3, 3)),
    "gemma3": (SLIDING, layers(1, 5)),
    "cohere2": (SLIDING, layers(1 + 0, 5)),
    "gpt-oss": (SLIDING, layers(3, 3)),
    "olmo2": ({**SLIDING, "attention.sliding_window_pattern": [True, False, False]}, layers(4, 2)),
    "lfm2": ({"attention.head_count_kv": [0, 0, 2, 0, 0, 2]}, layers(2)),
    "qwen3next": ({"full_attention_interval": 3}, layers(2)),
    "mamba": ({}, 0),
    "gemma4": ({**SLIDING, "attention.shared_kv_layers": 2}, layers(4)),
    "deepseek2": (
        {
            "attention.head_count_kv": 1,
            "attention.key_length": 80,
            "attention.value_length": 64,
            "attention.key_length_mla": 32,
        },
        2 * 6 * 80 * FULL,
    ),
    "qwen3": ({"attention.key_length": 32, "attention.value_length": 8}, 2 * 6 * 2 * 40 * FULL),
}


@pytest.mark.parametrize("architecture", CACHES)
def test_the_cache_of_an_architecture(tmp_path: Path, architecture: str) -> None:
    more, expected = CACHES[architecture]
    facts = read_facts(write(tmp_path / "m.gguf", architecture, **more))
    assert (facts.architecture, facts.layers, facts.heads) == (architecture, LAYERS, 4)
    assert (facts.context_length, facts.embedding_length) == (4096, 64)
    assert facts.cache_bytes(FULL) == expected
    assert (facts.quantisation, facts.bits_per_weight, facts.parameters) == ("F16", 16.0, 256)


@pytest.mark.parametrize(
    ("architecture", "more", "purpose"),
    [
        ("llama", {}, "language"),
        ("llama", {"general.type": "adapter"}, "adapter"),
        ("clip", {}, "projector"),
        ("nomic-bert", {}, "embedding"),
        ("qwen3", {"pooling_type": 3}, "embedding"),
        ("qwen3", {"pooling_type": 4}, "reranker"),
        ("llama", {"attention.causal": False}, "embedding"),
        ("t5", {}, "encoder-decoder"),
        ("t5encoder", {}, "embedding"),
        ("eurobert", {}, "embedding"),
        ("modern-bert", {}, "embedding"),
        ("gemma-embedding", {}, "embedding"),
        ("eagle3", {}, "draft head"),
        ("dflash", {}, "draft head"),
        ("gemma4-assistant", {}, "draft head"),
        ("wavtokenizer-dec", {}, "speech"),
        ("qwen3tts", {}, "speech"),
        ("controlvector", {}, "control vector"),
        ("llada", {}, "diffusion language"),
        ("dream", {}, "diffusion language"),
        ("flux", {}, "image generation"),
        ("imatrix", {"general.type": "imatrix"}, "importance matrix"),
        ("gemma3", {"general.type": "mmproj"}, "projector"),
    ],
)
def test_purposes(tmp_path: Path, architecture: str, more: dict[str, Any], purpose: str) -> None:
    assert read_facts(write(tmp_path / "m.gguf", architecture, **more)).purpose == purpose


@pytest.mark.parametrize(
    ("tensors", "purpose"),
    [
        (["blk.61.nextn.eh_proj.weight", "blk.61.attn_q.weight"], "draft head"),
        (["blk.0.attn_q.weight", "blk.61.nextn.eh_proj.weight"], "language"),
        (["blk.3.attn_q.weight"], "language"),
    ],
)
def test_a_head_without_its_model(tmp_path: Path, tensors: list[str], purpose: str) -> None:
    writer = GGUFWriter(tmp_path / "m.gguf", "glm4moe")
    for name in tensors:
        writer.add_tensor(name, numpy.zeros((4, 64), numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = ModelInfo("", "m", str(tmp_path / "m.gguf"), ModelType.GGUF, 1)
    assert read_facts(model).purpose == purpose


def test_names_of_the_header(tmp_path: Path) -> None:
    more = {
        "general.basename": "Some",
        "general.size_label": "7B",
        "general.finetune": "Instruct",
        "general.license": "mit",
        "general.base_model.0.repo_url": "https://huggingface.co/org/Some-7B",
    }
    facts = read_facts(write(tmp_path / "m.gguf", "llama", **more))
    assert (facts.family, facts.licence, facts.kind) == ("Some-7B-Instruct", "mit", "chat")
    assert facts.base_model == "org/Some-7B"


def test_shards_are_added_up(tmp_path: Path) -> None:
    whole = read_facts(
        ModelInfo("", "w", str(write_wide_gguf(tmp_path / "w.gguf")), ModelType.GGUF, 1)
    )
    first = write_wide_shards(tmp_path)[0]
    parts = read_facts(ModelInfo("", "s", str(first), ModelType.GGUF, 1))
    assert parts.parameters == whole.parameters
    assert parts.quantisation == whole.quantisation == "F32"


@pytest.mark.parametrize(
    "key",
    ["gguf_q2_k", *(slow(key) for key in ("gguf_q4_1", "gguf_q8_0"))],
)
def test_the_starter_models_by_package_gguf(starter_models: dict[str, str], key: str) -> None:
    path = starter_models[key]
    facts = read_facts(ModelInfo("", "s", path, ModelType.GGUF, 1))
    reader = GGUFReader(path)
    total = sum(int(tensor.n_elements) for tensor in reader.tensors)
    size = sum(int(tensor.n_bytes) for tensor in reader.tensors)
    assert facts.parameters == total
    assert facts.bits_per_weight == pytest.approx(size * 8 / total)
    shares: dict[str, float] = {}
    for tensor in reader.tensors:
        name = tensor.tensor_type.name
        shares[name] = shares.get(name, 0) + int(tensor.n_elements) / total
    assert facts.tensor_types == pytest.approx(shares)
    for fact, name in ((facts.layers, "block_count"), (facts.context_length, "context_length")):
        assert fact == reader.fields[f"llama.{name}"].contents()
    assert facts.vocabulary_size == len(reader.fields["tokenizer.ggml.tokens"].data)


def test_a_claim_of_four_billion_layers_costs_nothing(tmp_path: Path) -> None:
    model = write(tmp_path / "m.gguf", "gemma3", block_count=2**32 - 1, **SLIDING)
    tracemalloc.start()
    try:
        read_facts(model)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_a_large_vocabulary_costs_little_time(tmp_path: Path, bounds: Bounds) -> None:
    path = tmp_path / "large.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_token_list([f"token{number}" for number in range(150_000)])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    begun = time.monotonic()
    facts = read_facts(ModelInfo("", "l", str(path), ModelType.GGUF, 1))
    assert bounds.under(
        time.monotonic() - begun, 1
    )  # 0.1 s on an idle machine: benchmarks/library_facts.py
    assert facts.vocabulary_size == 150_000
