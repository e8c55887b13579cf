"""A transformers directory is loaded whole, or refused by name."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.exceptions import InferenceError, ModelLoadError
from runners.engines.pytorch.detokenizer import Detokenizer
from runners.engines.pytorch.inferencer import PyTorchInferencer

torch = pytest.importorskip("torch")

SIZES = {
    "vocab_size": 260,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "bos_token_id": None,
    "eos_token_id": 256,
    "pad_token_id": None,
}


def save_tokenizer(folder: Path) -> None:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.add_special_tokens(["<end>"])
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>").save_pretrained(folder)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A Llama of a few kilobytes with random weights, its head tied to its embedding."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    folder = tmp_path / "tiny"
    model = LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True))
    model.to(torch.bfloat16).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def load(folder: Path, **settings: Any) -> PyTorchInferencer:
    inferencer = PyTorchInferencer()
    inferencer.load_model(str(folder), asdict(ModelConfig(n_threads=1, **settings)))
    return inferencer


def weights_of(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def write_weights(folder: Path, weights: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_tied_weights_are_not_missing(tiny: Path) -> None:
    assert "lm_head.weight" not in weights_of(tiny)
    inferencer = load(tiny, max_tokens=3, seed=1)
    assert "".join(inferencer.generate_stream("ab")) is not None
    assert inferencer.get_model_info()["dtype"] == "bfloat16"
    assert inferencer.get_model_info()["context_length"] == 64


def test_logits_equal_the_reference(tiny: Path) -> None:
    """The weights are the file's own: the same logits as the model that was saved."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    reference = LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True))
    tokens = torch.tensor([[5, 6, 7]])
    loaded = load(tiny, torch_dtype="float32").model
    with torch.inference_mode():
        expected = reference.to(torch.bfloat16).float()(tokens).logits
        assert torch.allclose(loaded(tokens).logits, expected, atol=1e-5)


def test_missing_weight_is_refused_by_name(tiny: Path) -> None:
    weights = weights_of(tiny)
    del weights["model.layers.0.self_attn.q_proj.weight"]
    write_weights(tiny, weights)
    with pytest.raises(ModelLoadError, match=r"1 weight.* missing .*q_proj\.weight"):
        load(tiny)


def test_wrong_shape_is_refused(tiny: Path) -> None:
    change_config(tiny, intermediate_size=48)
    with pytest.raises(ModelLoadError, match="another shape than config"):
        load(tiny)


def test_training_checkpoint_is_refused(tiny: Path) -> None:
    weights = {f"model.{name}": value for name, value in weights_of(tiny).items()}
    write_weights(tiny, {f"optimizer.{name}": value for name, value in weights.items()})
    with pytest.raises(ModelLoadError, match="missing from its files"):
        load(tiny)


def test_half_a_file_is_refused(tiny: Path) -> None:
    path = tiny / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelLoadError, match="damaged or incomplete"):
        load(tiny)


class Bomb:
    """Runs code where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


def test_pickled_code_does_not_run(tiny: Path, tmp_path: Path) -> None:
    (tiny / "model.safetensors").unlink()
    marker = tmp_path / "marker"
    (tiny / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(marker)))
    with pytest.raises(ModelLoadError) as caught:
        load(tiny)
    assert not marker.exists()
    assert "weights_only" not in str(caught.value)


def test_shard_outside_the_folder_is_refused(tiny: Path) -> None:
    index = {"metadata": {}, "weight_map": {"a": "../outside.safetensors"}}
    (tiny / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelLoadError, match="outside the folder"):
        load(tiny)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model_type": "frobnicator"}, "'frobnicator' .* not known to transformers"),
        ({"architectures": ["BertForMaskedLM"], "model_type": "bert"}, "no causal language"),
        ({"model_type": "vit", "architectures": []}, "no causal language model"),
        ({"auto_map": {"AutoModelForCausalLM": "evil.Model"}}, "Python code of its own"),
    ],
)
def test_other_models_are_refused(tiny: Path, fields: dict[str, Any], words: str) -> None:
    change_config(tiny, **fields)
    with pytest.raises(ModelLoadError, match=words):
        load(tiny)


def test_missing_parts_are_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="No folder at"):
        load(tmp_path / "nowhere")
    (tiny / "config.json").unlink()
    with pytest.raises(ModelLoadError, match=r"has no config\.json"):
        load(tiny)


def test_nan_is_told(tiny: Path) -> None:
    weights = weights_of(tiny)
    weights["model.norm.weight"][:] = float("nan")
    write_weights(tiny, weights)
    with pytest.raises(InferenceError, match="computes NaN"):
        list(load(tiny).pieces("ab"))


def test_tokenizer_that_does_not_fit_is_told(tiny: Path) -> None:
    weights = weights_of(tiny)
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:50].clone()
    write_weights(tiny, weights)
    change_config(tiny, vocab_size=50, eos_token_id=1)
    with pytest.raises(InferenceError, match=r"do not fit: token \d+, embedding 50"):
        list(load(tiny).pieces("zz"))


@pytest.mark.parametrize(
    ("stored", "asked", "shown"),
    [
        ("float16", "auto", "float32 (the file has float16)"),
        ("float32", "auto", "float32"),
        ("float32", "bfloat16", "bfloat16"),
    ],
)
def test_number_format_is_chosen_and_shown(tiny: Path, stored: str, asked: str, shown: str) -> None:
    dtype = getattr(torch, stored)
    write_weights(tiny, {name: value.to(dtype) for name, value in weights_of(tiny).items()})
    change_config(tiny, dtype=stored)
    inferencer = load(tiny, torch_dtype=asked)
    assert inferencer.get_model_info()["dtype"] == shown
    assert str(inferencer.model.dtype) == f"torch.{shown.split()[0]}"


def test_streamed_text_equals_the_decoding_of_all_tokens(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of random weights writes random bytes: every kind of broken character."""
    written: list[list[int]] = []

    class Recording(Detokenizer):
        def __init__(self, tokenizer: Any, marks: Any) -> None:
            super().__init__(tokenizer, marks)
            written.append(self._tokens)

    monkeypatch.setattr("runners.engines.pytorch.inferencer.Detokenizer", Recording)
    for seed in range(3):
        inferencer = load(tiny, max_tokens=40, seed=seed, temperature=2.0, top_k=0, top_p=1.0)
        text = "".join(inferencer.generate_stream("ab"))
        assert text == inferencer.tokenizer.decode(written[-1], skip_special_tokens=True)
