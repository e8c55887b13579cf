"""Small models that the tests make: one set of random weights as a folder and as a GGUF file.

The vocabulary is the 256 bytes and a few special tokens, so that every text is tokens of one
byte in both engines.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from comparator.core.models import ModelInfo, ModelType

BYTES = 256
SPECIAL = ("<s>", "</s>", "<unk>")
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}


def letters() -> list[str]:
    """Return the text by which byte-level vocabularies write each byte, in the order of bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(shifted)) for byte in range(BYTES)]


def vocabulary(special: Iterable[str] = SPECIAL) -> list[str]:
    """Return all tokens in the order of their ids."""
    return [*letters(), *special]


# ---- transformers directories ----


def write_tokenizer(
    folder: Path,
    *,
    special: Iterable[str] = SPECIAL,
    template: str | None = None,
    adds_start: bool = True,
) -> Path:
    """Write the files of a byte-level tokenizer."""
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    names = list(special)
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE({text: number for number, text in enumerate(letters())}, [])
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.add_special_tokens(names)
    if adds_start:
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{names[0]} $A", special_tokens=[(names[0], BYTES)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=names[0],
        eos_token=names[1],
        unk_token=names[2],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


def write_directory(folder: Path, *, seed: int = 0, template: str | None = None) -> Path:
    """Write a Llama of some kilobytes with random weights in float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary()),
        bos_token_id=BYTES,
        eos_token_id=BYTES + 1,
        pad_token_id=None,
        **SIZES,
    )
    LlamaForCausalLM(config).float().save_pretrained(folder)
    return write_tokenizer(folder, template=template)


def weights_of(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def write_weights(folder: Path, weights: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(dict(weights), folder / "model.safetensors", metadata={"format": "pt"})


def change_json(path: Path, **fields: Any) -> None:
    """Set fields of a JSON file; None removes one."""
    content = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps({name: v for name, v in content.items() if v is not None}))


def as_pytorch_file(folder: Path, name: str = "pytorch_model.bin") -> Path:
    """Replace a folder's safetensors by a file of torch with the same weights."""
    import torch

    torch.save(weights_of(folder), folder / name)
    (folder / "model.safetensors").unlink()
    return folder / name


# ---- GGUF files ----

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def gguf_tensors(folder: Path) -> dict[str, Any]:
    """Return a folder's weights under the names and in the layout of a GGUF file."""
    tensors = {}
    for name, tensor in weights_of(folder).items():
        array = tensor.float().numpy()
        if "q_proj" in name:
            array = _interleaved(array, SIZES["num_attention_heads"])
        elif "k_proj" in name:
            array = _interleaved(array, SIZES["num_key_value_heads"])
        tensors[_gguf_name(name)] = array
    return tensors


def _gguf_name(name: str) -> str:
    fixed = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    if name in fixed:
        return fixed[name]
    _model, _layers, number, *rest, _weight = name.split(".")
    return f"blk.{number}.{_NAMES['.'.join(rest)]}.weight"


def _interleaved(array: Any, heads: Any) -> Any:
    """Reorder rows: llama.cpp turns neighbours, transformers the two halves of a head."""
    rows, columns = array.shape
    halves = array.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns).copy()


def write_gguf(
    path: Path,
    folder: Path | None = None,
    *,
    tensors: Mapping[str, Any] | None = None,
    architecture: str = "llama",
    special: Iterable[str] = SPECIAL,
    tokens: list[str] | None = None,
    template: str | None = None,
    adds_start: bool = True,
    extra: Mapping[str, int] | None = None,
    **changed: Any,
) -> Path:
    """Write a GGUF file with the weights of a folder, or only the vocabulary.

    ``changed`` replaces numbers of the header, such as ``block_count=0``; ``extra`` adds to it
    what a first shard says of the others.
    """
    from gguf import GGUFWriter

    numbers = {
        "block_count": SIZES["num_hidden_layers"],
        "context_length": SIZES["max_position_embeddings"],
        "embedding_length": SIZES["hidden_size"],
        "feed_forward_length": SIZES["intermediate_size"],
        "head_count": SIZES["num_attention_heads"],
        "head_count_kv": SIZES["num_key_value_heads"],
        **changed,
    }
    writer = GGUFWriter(path, architecture)
    for name, value in numbers.items():
        getattr(writer, f"add_{name}")(value)
    writer.add_layer_norm_rms_eps(1e-5)
    names = list(special)
    texts = tokens or vocabulary(names)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(texts)
    writer.add_token_types([1] * BYTES + [3] * (len(texts) - BYTES))
    writer.add_token_merges([f"{letters()[0]} {letters()[1]}"])
    writer.add_bos_token_id(BYTES)
    writer.add_eos_token_id(BYTES + 1)
    writer.add_unk_token_id(BYTES + 2)
    writer.add_add_bos_token(adds_start)
    if template is not None:
        writer.add_chat_template(template)
    for key, value in (extra or {}).items():
        (writer.add_int32 if key.endswith("tensors.count") else writer.add_uint16)(key, value)
    if tensors is None:
        tensors = gguf_tensors(folder) if folder else {}
    for name, array in tensors.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def own_copy(path: str | Path, into: Path) -> Path:
    """Copy a model into a folder, so that no other test maps its pages.

    Pages that two processes map are private to neither (USS), so a model that another test runs
    at the same time takes less than it does alone.
    """
    source, copy = Path(path), into / Path(path).name
    return Path(shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy))


def as_model(path: Path, kind: ModelType | None = None) -> ModelInfo:
    """Return what a path is to the library, without a look at it."""
    if kind is None:
        kind = ModelType.GGUF if path.suffix == ".gguf" else ModelType.PYTORCH
    return ModelInfo("", path.name, str(path), kind, 1)
