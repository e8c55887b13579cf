"""Answers come from the file's own weights: both engines compute what a reference computes."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import model_files
import numpy
import pytest

from comparator.core.config import ModelConfig
from comparator.services.inference_engine import InferenceEngine
from runners.registry import create_inferencer

TEXT = "The quick brown fox, 你好 😀."
GREEDY: dict[str, Any] = {"do_sample": False, "repeat_penalty": 1.0, "n_threads": 1}


# ---- a reference that shares no code with either engine ----


def reference_logits(folder: Path, tokens: list[int]) -> numpy.ndarray:
    """Return the scores of the token after the last one, by the formulas of Llama.

    Rotary positions, grouped queries, RMS norms and the SwiGLU: https://arxiv.org/abs/2302.13971.
    """
    weights = {name: w.double().numpy() for name, w in model_files.weights_of(folder).items()}
    heads = model_files.SIZES["num_attention_heads"]
    shared = heads // model_files.SIZES["num_key_value_heads"]
    hidden = weights["model.embed_tokens.weight"][tokens]
    for number in range(model_files.SIZES["num_hidden_layers"]):
        layer = f"model.layers.{number}."
        normed = norm(hidden, weights[layer + "input_layernorm.weight"])
        part = {name: normed @ weights[f"{layer}self_attn.{name}_proj.weight"].T for name in "qkv"}
        query = turned(split(part["q"], heads))
        key = turned(split(part["k"], heads // shared)).repeat(shared, axis=0)
        value = split(part["v"], heads // shared).repeat(shared, axis=0)
        mixed = attended(query, key, value).swapaxes(0, 1).reshape(len(tokens), -1)
        hidden = hidden + mixed @ weights[layer + "self_attn.o_proj.weight"].T
        normed = norm(hidden, weights[layer + "post_attention_layernorm.weight"])
        gate = normed @ weights[layer + "mlp.gate_proj.weight"].T
        inner = gate / (1 + numpy.exp(-gate)) * (normed @ weights[layer + "mlp.up_proj.weight"].T)
        hidden = hidden + inner @ weights[layer + "mlp.down_proj.weight"].T
    return norm(hidden[-1], weights["model.norm.weight"]) @ weights["lm_head.weight"].T


def norm(values: numpy.ndarray, weight: numpy.ndarray) -> numpy.ndarray:
    return values / numpy.sqrt((values**2).mean(-1, keepdims=True) + 1e-5) * weight


def split(values: numpy.ndarray, heads: int) -> numpy.ndarray:
    return values.reshape(len(values), heads, -1).swapaxes(0, 1)


def turned(values: numpy.ndarray) -> numpy.ndarray:
    length, size = values.shape[1:]
    angles = numpy.outer(numpy.arange(length), 10_000.0 ** (-numpy.arange(0, size, 2) / size))
    first, second = numpy.split(values, 2, axis=-1)
    cosine, sine = numpy.cos(angles), numpy.sin(angles)
    return numpy.concatenate((first * cosine - second * sine, second * cosine + first * sine), -1)


def attended(query: numpy.ndarray, key: numpy.ndarray, value: numpy.ndarray) -> numpy.ndarray:
    scores = query @ key.swapaxes(1, 2) / numpy.sqrt(query.shape[-1])
    scores += numpy.triu(numpy.full(scores.shape[-2:], -numpy.inf), 1)
    shares = numpy.exp(scores - scores.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True) @ value


# ---- logits ----


def tokens_of(text: str) -> list[int]:
    return [model_files.BYTES, *(byte_token(byte) for byte in text.encode())]


def byte_token(byte: int) -> int:
    return byte  # the vocabulary lists the bytes in their order


def gguf_logits(path: Path, tokens: list[int]) -> numpy.ndarray:
    inferencer: Any = create_inferencer("gguf")
    inferencer.load_model(str(path), asdict(ModelConfig(**GREEDY)))
    try:
        context = inferencer._context
        context.clear()
        assert context.read(tokens, lambda: False)
        size = inferencer.model.vocabulary_size
        return numpy.array([context.logits()[token] for token in range(size)])
    finally:
        inferencer.unload_model()


def pytorch_logits(path: Path, tokens: list[int]) -> numpy.ndarray:
    import torch

    inferencer: Any = create_inferencer("pytorch")
    inferencer.load_model(str(path), asdict(ModelConfig(**GREEDY)))
    assert (inferencer.way, inferencer.fallbacks) == ("cached", [])
    with torch.inference_mode():
        stepper = inferencer._stepper(len(tokens), 1)
        scores = stepper.read(tokens[:-1], lambda: False)
        scores = stepper.step(tokens[-1])  # the last one through the cache, as in an answer
    return scores.float().reshape(-1).numpy()


def test_the_logits_of_both_engines_equal_the_reference(
    tiny_folder: Path, tiny_gguf: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tokens = tokens_of(TEXT)
    expected = reference_logits(tiny_folder, tokens)
    assert expected.std() > 0.05, "a reference of zeros would prove nothing"
    for found in (gguf_logits(tiny_gguf, tokens), pytorch_logits(tiny_folder, tokens)):
        assert found.shape == expected.shape
        assert numpy.abs(found - expected).max() < 2e-3 * numpy.abs(expected).max()
    capfd.readouterr()


def test_other_weights_have_other_logits(
    tmp_path: Path, tiny_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The tolerance above tells one changed matrix of one layer."""
    tokens = tokens_of(TEXT)
    tensors = model_files.gguf_tensors(tiny_folder)
    tensors["blk.1.attn_k.weight"] = tensors["blk.1.attn_k.weight"][::-1].copy()
    changed = gguf_logits(model_files.write_gguf(tmp_path / "m.gguf", tensors=tensors), tokens)
    expected = reference_logits(tiny_folder, tokens)
    assert numpy.abs(changed - expected).max() > 2e-3 * numpy.abs(expected).max()
    capfd.readouterr()


# ---- answers, through child processes ----


def reference_answer(folder: Path, prompt: str, count: int) -> bytes:
    tokens = tokens_of(prompt)
    for _ in range(count):
        tokens.append(int(reference_logits(folder, tokens).argmax()))
    return bytes(tokens[-count:])


def test_greedy_answers_of_both_engines_are_the_references(
    tiny_folder: Path, tiny_gguf: Path
) -> None:
    count = 12
    expected = reference_answer(tiny_folder, TEXT, count).decode("utf-8", "replace")
    models = [model_files.as_model(path) for path in (tiny_gguf, tiny_folder)]
    config = ModelConfig(max_tokens=count, **GREEDY)
    *_, last = InferenceEngine().run_inference(TEXT, models, {m.id: config for m in models})
    assert [result.error for result in last.values()] == [None, None]
    assert [result.content for result in last.values()] == [expected, expected]
    assert [result.stats.token_count for result in last.values()] == [count, count]
    assert [result.stats.prompt_tokens for result in last.values()] == [
        len(tokens_of(TEXT)),
        len(tokens_of(TEXT)),
    ]


def test_what_is_not_the_models_own_is_refused_by_name_in_both_engines(
    tmp_path: Path, tiny_folder: Path
) -> None:
    """Missing, of another shape, and other weights in their place."""
    import shutil

    kept = model_files.weights_of(tiny_folder)
    name, gguf_name = "model.layers.1.mlp.up_proj.weight", "blk.1.ffn_up.weight"
    models = []
    for case in ("missing", "mismatched", "surplus"):
        folder = Path(shutil.copytree(tiny_folder, tmp_path / case))
        weights, tensors = dict(kept), model_files.gguf_tensors(tiny_folder)
        if case == "mismatched":
            weights[name] = weights[name][:32].clone()
            tensors[gguf_name] = tensors[gguf_name][:32].copy()
        else:
            part, gguf_part = weights.pop(name), tensors.pop(gguf_name)
            if case == "surplus":
                weights["other.weight"], tensors["other.weight"] = part, gguf_part
        model_files.write_weights(folder, weights)
        path = model_files.write_gguf(tmp_path / f"{case}.gguf", tensors=tensors)
        models += [model_files.as_model(folder), model_files.as_model(path)]
    for pair in (models[:2], models[2:4], models[4:]):
        *_, last = InferenceEngine().run_inference("ab", pair)
        of_folder, of_gguf = last.values()
        assert (of_folder.error_kind, of_gguf.error_kind) == ("load", "load")
        assert re.search(r"1 (of \d+ )?weights .*" + re.escape(name), of_folder.error)
        assert f"tensor '{gguf_name}'" in of_gguf.error
        assert of_folder.content == of_gguf.content == ""


def test_a_model_in_shards_answers_inside_its_sandbox(tmp_path: Path, tiny_folder: Path) -> None:
    from gguf import GGUFWriter

    tensors = model_files.gguf_tensors(tiny_folder)
    whole = model_files.write_gguf(tmp_path / "whole.gguf", tensors=tensors)
    names = list(tensors)
    first = {name: tensors[name] for name in names[:8]}
    rest = {name: tensors[name] for name in names[8:]}
    split_numbers = {"split.no": 0, "split.count": 2, "split.tensors.count": len(names)}
    path = tmp_path / "m-00001-of-00002.gguf"
    model_files.write_gguf(path, tensors=first, extra=split_numbers)
    writer = GGUFWriter(tmp_path / "m-00002-of-00002.gguf", "llama")
    for key, value in {**split_numbers, "split.no": 1}.items():
        (writer.add_int32 if key.endswith("tensors.count") else writer.add_uint16)(key, value)
    for name, array in rest.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    models = [model_files.as_model(whole), model_files.as_model(path)]
    config = ModelConfig(max_tokens=4, **GREEDY)
    *_, last = InferenceEngine().run_inference("ab", models, {m.id: config for m in models})
    assert [result.error for result in last.values()] == [None, None]
    assert len({result.content for result in last.values()}) == 1
