"""LoRA adapters: an answer with one is the answer of a model into whose weights it was merged."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lora_files
import model_files
import numpy
import pytest

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ModelLoadError
from comparator.core.models import InferenceResult, ModelInfo, told_apart
from comparator.services.inference_engine import InferenceEngine
from runners.engines.gguf import library
from runners.engines.pytorch.lora import scaling
from runners.registry import create_inferencer

TEXT = "The quick brown fox, 你好 😀."
TOKENS = [model_files.BYTES, *TEXT.encode()]
GREEDY: dict[str, Any] = {"do_sample": False, "repeat_penalty": 1.0, "n_threads": 1}
COUNT = 12


@pytest.fixture(scope="module")
def peft(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    return lora_files.write_peft(tmp_path_factory.mktemp("adapters") / "peft", tiny_folder)


@pytest.fixture(scope="module")
def gguf_adapter(peft: Path) -> Path:
    return lora_files.write_gguf(peft.parent / "adapter.gguf", peft)


def merged(folder: Path, peft: Path, scale: float, into: Path) -> Path:
    copy = Path(shutil.copytree(folder, into / "merged"))
    lora_files.merge(copy, peft, scale)
    return copy


def gguf_logits(engine: str, path: Path, adapter: str) -> numpy.ndarray:
    inferencer: Any = create_inferencer("gguf")
    inferencer._library = lambda: library.of_name(engine)
    inferencer.load_model(str(path), asdict(ModelConfig(lora=[adapter], **GREEDY)))
    try:
        context = inferencer._context
        assert context.read(TOKENS, lambda: False)
        return numpy.array([context.logits()[n] for n in range(context.vocabulary_size)])
    finally:
        inferencer.unload_model()


def pytorch_logits(path: Path, *adapters: str) -> numpy.ndarray:
    import torch

    inferencer: Any = create_inferencer("pytorch")
    inferencer.load_model(str(path), asdict(ModelConfig(lora=list(adapters), **GREEDY)))
    with torch.inference_mode():
        scores = inferencer._stepper(len(TOKENS), 1).read(TOKENS, lambda: False)
    return scores.float().reshape(-1).numpy()


def is_near(found: numpy.ndarray, expected: numpy.ndarray) -> bool:
    return bool(numpy.abs(found - expected).max() < 2e-3 * numpy.abs(expected).max())


@pytest.mark.parametrize("scale", [1.0, -0.5])
@pytest.mark.parametrize("engine", ["llama_cpp", "xllamacpp", "pytorch"])
def test_logits_with_an_adapter_are_those_of_merged_weights(
    tmp_path: Path,
    tiny_folder: Path,
    tiny_gguf: Path,
    peft: Path,
    gguf_adapter: Path,
    engine: str,
    scale: float,
    capfd: pytest.CaptureFixture[str],
) -> None:
    expected = pytorch_logits(merged(tiny_folder, peft, scale, tmp_path))
    assert not is_near(pytorch_logits(tiny_folder), expected), "it would prove nothing"
    if engine == "pytorch":
        found = pytorch_logits(tiny_folder, f"{peft}:{scale}")
    else:
        pytest.importorskip(engine)
        found = gguf_logits(engine, tiny_gguf, f"{gguf_adapter}:{scale}")
    assert is_near(found, expected)
    capfd.readouterr()


def ask(*slots: tuple[ModelInfo, list[str]], **settings: Any) -> list[InferenceResult]:
    engine = InferenceEngine()
    models = told_apart(model for model, _lora in slots)
    configs = {
        model.id: ModelConfig(max_tokens=COUNT, lora=lora, **GREEDY, **settings)
        for model, (_model, lora) in zip(models, slots, strict=True)
    }
    *_, last = engine.run_inference(TEXT, models, configs)
    return list(last.values())


def test_one_model_with_and_without_an_adapter_in_one_comparison(
    tmp_path: Path, tiny_folder: Path, tiny_gguf: Path, peft: Path, gguf_adapter: Path
) -> None:
    """Inside their sandboxes; both engines give the answer of merged weights."""
    whole = merged(tiny_folder, peft, 1.0, tmp_path)
    of_gguf, of_folder, of_whole = map(model_files.as_model, (tiny_gguf, tiny_folder, whole))
    other = change(peft, tmp_path / "other", base_model_name_or_path="someone/Other-7B")
    plain, with_gguf, with_peft, expected = ask(
        (of_gguf, []), (of_gguf, [f"{gguf_adapter}:1"]), (of_folder, [str(other)]), (of_whole, [])
    )
    results = (plain, with_gguf, with_peft, expected)
    assert [result.error for result in results] == [None] * 4
    assert with_gguf.content == with_peft.content == expected.content != plain.content
    assert with_gguf.model_id == f"{plain.model_id}#2"
    assert with_gguf.config["lora"] == [f"{gguf_adapter}:1"]
    assert "adapter" not in (with_gguf.notice or "")
    said = "The adapter other says that it was made for someone/Other-7B; tiny may be another"
    assert said in (with_peft.notice or "")


def test_adapters_are_added_up(
    tmp_path: Path, tiny_folder: Path, peft: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = lora_files.write_peft(
        tmp_path / "other", tiny_folder, seed=2, rank=8, use_rslora=False, targets=["q_proj"]
    )
    whole = merged(tiny_folder, peft, 1.0, tmp_path)
    lora_files.merge(whole, other, 0.5)
    inferencer: Any = create_inferencer("pytorch")
    lora_of = [str(peft), f"{other}:0.5"]
    inferencer.load_model(str(tiny_folder), asdict(ModelConfig(lora=lora_of, **GREEDY)))
    found = inferencer.model.state_dict()
    for name, weight in model_files.weights_of(whole).items():
        assert numpy.allclose(found[name].numpy(), weight.numpy(), atol=1e-6), name
    capfd.readouterr()


def change(adapter: Path, into: Path, **config: Any) -> Path:
    copy = Path(shutil.copytree(adapter, into))
    model_files.change_json(copy / "adapter_config.json", **config)
    return copy


def test_what_is_no_adapter_of_a_model_is_refused_by_name(
    tmp_path: Path, tiny_folder: Path, tiny_gguf: Path, peft: Path, gguf_adapter: Path
) -> None:
    """Before anything is loaded, one sentence each."""
    import torch
    from safetensors.torch import save_file

    of_gguf, of_folder = map(model_files.as_model, (tiny_gguf, tiny_folder))
    wide = Path(shutil.copytree(peft, tmp_path / "wide"))
    tensors = lora_files.tensors_of(peft)
    first = next(name for name in tensors if name.endswith("lora_A.weight"))
    save_file({**tensors, first: torch.zeros(4, 99)}, wide / "adapter_model.safetensors")
    ranks = Path(shutil.copytree(peft, tmp_path / "ranks"))
    save_file({**tensors, first: torch.zeros(3, 32)}, ranks / "adapter_model.safetensors")
    other = lora_files.write_gguf(tmp_path / "qwen.gguf", peft, architecture="qwen2")
    cases = [
        (of_gguf, tmp_path / "gone.gguf", "There is no adapter at .*gone.gguf"),
        (of_gguf, tiny_gguf, "is no LoRA adapter: its header says 'model'"),
        (of_gguf, peft, r"is for transformers folders \(PEFT\), and .* is none"),
        (of_folder, gguf_adapter, "is for GGUF files, and .* is none"),
        (of_gguf, other, "made for the architecture 'qwen2'; .* is 'llama'"),
        (of_gguf, lora_files.write_gguf(tmp_path / "wide.gguf", wide), "does not fit"),
        (of_folder, tiny_folder, "has no adapter_config.json"),
        (of_folder, wide, r"does not fit .*: it changes .* x 99, and the model has "),
        (of_folder, ranks, "the matrices of .* have the ranks 3 and 4"),
        (of_folder, change(peft, tmp_path / "dora", use_dora=True), "has DoRA"),
        (of_folder, change(peft, tmp_path / "ia3", peft_type="IA3"), "is of the kind 'IA3'"),
    ]
    for model, path, words in cases:
        (result,) = ask((model, [str(path)]))
        assert result.error_kind == "load", path
        assert result.content == ""
        assert re.search(words, result.error or ""), (path, result.error)


@pytest.mark.parametrize(
    ("config", "number", "words"),
    [
        ({}, numpy.nan, "holds numbers that are none"),
        ({"lora_alpha": "big"}, 0.0, "lora_alpha must be a number, not 'big'"),
        ({"lora_alpha": numpy.inf}, 0.0, "lora_alpha must be a number"),
    ],
)
def test_numbers_that_are_none_are_refused(
    tmp_path: Path,
    tiny_folder: Path,
    peft: Path,
    config: dict[str, Any],
    number: float,
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from safetensors.torch import save_file

    copy = change(peft, tmp_path / "copy", **config)
    tensors = {name: tensor + number for name, tensor in lora_files.tensors_of(peft).items()}
    save_file(tensors, copy / "adapter_model.safetensors")
    inferencer: Any = create_inferencer("pytorch")
    with pytest.raises(ModelLoadError, match=words):
        inferencer.load_model(str(tiny_folder), asdict(ModelConfig(lora=[str(copy)], **GREEDY)))
    capfd.readouterr()


def test_alpha_may_be_a_layers_own_and_rank_stabilised() -> None:
    """As PEFT counts: alpha / rank, or alpha / sqrt(rank); a pattern is the end of a name."""
    config = {"lora_alpha": 16, "alpha_pattern": {"q_proj": 8, r"layers\.1\.mlp\..*": 4, "(": 1}}
    assert scaling(config, "model.layers.0.self_attn.v_proj", 4) == 4.0
    assert scaling(config, "model.layers.0.self_attn.q_proj", 4) == 2.0
    assert scaling(config, "model.layers.1.mlp.up_proj", 4) == 1.0
    assert scaling({**config, "use_rslora": True}, "model.layers.0.self_attn.v_proj", 4) == 8.0
