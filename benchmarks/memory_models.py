"""Small models of many architectures with random weights, made to measure their memory.

Tensor names and shapes follow llama.cpp (``src/llama-arch.cpp``, ``src/models``); folders are
made by transformers' own classes.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES = 256
SPECIAL = ("<s>", "</s>", "<unk>")
# For programs that ask through one: the contents of the messages, a line each.
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
Blocks = Callable[[Any, tuple[int, ...]], Any]  # of a source of randomness and dimensions
MAMBA_STATE, MAMBA_CONVOLUTION, EXPERTS = 16, 4, 4


@dataclass(frozen=True)
class Shape:
    """The measures of a small model; lengths in tokens.

    Attributes:
        architecture: as GGUF files and ``config.json`` call it.
        number: the type of its weights, such as ``F16`` or ``Q4_0`` (GGUF), ``bfloat16``.
    """

    architecture: str
    number: str
    width: int = 640
    layers: int = 10
    heads: int = 10
    key_value_heads: int = 5
    feed_forward: int = 1920
    vocabulary: int = 16_384
    context: int = 8192
    window: int = 512

    @property
    def head(self) -> int:
        """The size of one head."""
        return self.width // self.heads


def letters() -> list[str]:
    """Return the text by which byte-level vocabularies write each byte, in the order of bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(shifted)) for byte in range(BYTES)]


def merges(size: int) -> list[tuple[str, str]]:
    """Return the pairs of letters that are tokens in a vocabulary of so many."""
    pairs = itertools.product(letters(), letters())
    return list(itertools.islice(pairs, size - BYTES - len(SPECIAL)))


def vocabulary(size: int) -> list[str]:
    """Return so many tokens, at most 65 795: the bytes, special ones, and pairs of letters."""
    return [*letters(), *SPECIAL, *(one + other for one, other in merges(size))]


GGUF = tuple(
    Shape(*pair)
    for pair in (
        ("llama", "F16"),
        ("llama", "Q4_0"),
        ("qwen2", "Q8_0"),
        ("qwen2moe", "Q8_0"),
        ("qwen3", "F16"),
        ("gemma2", "Q8_0"),
        ("gemma3", "Q4_1"),
        ("phi3", "Q8_0"),
        ("gpt2", "F16"),
        ("mamba", "F16"),
    )
)
FOLDERS = tuple(
    Shape(*pair)
    for pair in (
        ("llama", "bfloat16"),
        ("qwen2", "bfloat16"),
        ("qwen3", "bfloat16"),
        ("gemma2", "bfloat16"),
        ("gemma3_text", "bfloat16"),
        ("phi3", "bfloat16"),
        ("gpt2", "float32"),
        ("gpt_neox", "bfloat16"),
        ("mixtral", "bfloat16"),
    )
)


def name_of(shape: Shape) -> str:
    """Return the name of a model's file or folder, without an ending."""
    return f"{shape.architecture}-{shape.number}"


def write_all(directory: Path) -> None:
    """Write every model into a directory."""
    for shape in GGUF:
        write_gguf(directory / f"{name_of(shape)}.gguf", shape)
    for shape in FOLDERS:
        write_folder(directory / name_of(shape), shape)


def write_folder(folder: Path, shape: Shape, device: str = "cpu") -> Path:
    """Write a transformers directory with random weights, drawn on a device of torch."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(shape.architecture, **_settings(shape))
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, shape.number))
    model.to(getattr(torch, shape.number)).save_pretrained(folder)
    _write_tokenizer(folder, shape.vocabulary)
    return folder


def _settings(shape: Shape) -> dict[str, Any]:
    common = {
        "vocab_size": shape.vocabulary,
        "bos_token_id": BYTES,
        "eos_token_id": BYTES + 1,
        "pad_token_id": None,
        "tie_word_embeddings": False,
    }
    if shape.architecture == "gpt2":
        return {
            **common,
            "n_embd": shape.width,
            "n_layer": shape.layers,
            "n_head": shape.heads,
            "n_inner": shape.feed_forward,
            "n_positions": shape.context,
        }
    own = {
        "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head,
        "max_position_embeddings": shape.context,
    }
    if shape.architecture.startswith("gemma"):
        own |= {"sliding_window": shape.window, "query_pre_attn_scalar": shape.head}
    if shape.architecture == "mixtral":
        own |= {"num_local_experts": EXPERTS, "num_experts_per_tok": 2}
    if shape.architecture in ("gpt_neox", "phi3"):
        own.pop("head_dim")
    return {**common, **own}


def _write_tokenizer(folder: Path, size: int) -> None:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    texts = [text for text in vocabulary(size) if text not in SPECIAL]
    numbers = [*range(BYTES), *range(BYTES + len(SPECIAL), size)]
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(dict(zip(texts, numbers, strict=True)), merges(size))
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    backend.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(folder)


def write_gguf(path: Path, shape: Shape, blocks: Blocks | None = None) -> Path:
    """Write a GGUF file with random weights.

    Args:
        path: of the file.
        shape: of the model.
        blocks: draws a matrix in the number type at once; None quantises what is drawn.
    """
    import numpy
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    writer = GGUFWriter(path, shape.architecture)
    _write_header(writer, shape)
    source = numpy.random.default_rng(0)
    number = GGMLQuantizationType[shape.number]
    for name, dimensions in gguf_tensors(shape):
        if blocks is not None and len(dimensions) > 1:
            writer.add_tensor(name, blocks(source, dimensions), raw_dtype=number)
            continue
        array = source.standard_normal(dimensions, dtype=numpy.float32) * 0.02
        if len(dimensions) == 1 or name.endswith((".bias", "ssm_a", "ssm_conv1d.weight")):
            writer.add_tensor(name, -abs(array) if name.endswith("ssm_a") else array)
        elif shape.number == "F32":
            writer.add_tensor(name, array)
        else:
            writer.add_tensor(name, quants.quantize(array, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_header(writer: Any, shape: Shape) -> None:
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    if shape.architecture == "mamba":
        writer.add_feed_forward_length(0)
        writer.add_head_count(0)
        writer.add_ssm_conv_kernel(MAMBA_CONVOLUTION)
        writer.add_ssm_inner_size(2 * shape.width)
        writer.add_ssm_state_size(MAMBA_STATE)
        writer.add_ssm_time_step_rank(shape.width // 16)
    else:
        writer.add_feed_forward_length(shape.feed_forward)
        writer.add_head_count(shape.heads)
        writer.add_head_count_kv(_key_value_heads(shape))
        writer.add_rope_dimension_count(shape.head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    if shape.architecture.startswith("gemma"):
        writer.add_sliding_window(shape.window)
        writer.add_key_length(shape.head)
        writer.add_value_length(shape.head)
    if shape.architecture == "phi3":
        writer.add_sliding_window(0)
    if shape.architecture == "qwen2moe":
        writer.add_expert_count(EXPERTS)
        writer.add_expert_used_count(2)
        writer.add_expert_feed_forward_length(shape.feed_forward // 2)
        writer.add_expert_shared_feed_forward_length(shape.feed_forward)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary(shape.vocabulary))
    writer.add_token_types([1] * BYTES + [3] * 3 + [1] * (shape.vocabulary - BYTES - 3))
    writer.add_token_merges([" ".join(pair) for pair in merges(shape.vocabulary)])
    writer.add_bos_token_id(BYTES)
    writer.add_eos_token_id(BYTES + 1)
    writer.add_unk_token_id(BYTES + 2)
    writer.add_chat_template(CHAT_TEMPLATE)


def _key_value_heads(shape: Shape) -> int:
    return shape.heads if shape.architecture == "gpt2" else shape.key_value_heads


def gguf_tensors(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and dimensions (rows first) of all tensors of a file."""
    yield "token_embd.weight", (shape.vocabulary, shape.width)
    yield "output_norm.weight", (shape.width,)
    if not shape.architecture.startswith("gemma"):
        yield "output.weight", (shape.vocabulary, shape.width)
    if shape.architecture == "gpt2":
        yield "position_embd.weight", (shape.context, shape.width)
        yield "output_norm.bias", (shape.width,)
    for layer in range(shape.layers):
        for name, dimensions in _layer(shape).items():
            yield f"blk.{layer}.{name}", dimensions


def _layer(shape: Shape) -> dict[str, tuple[int, ...]]:
    if shape.architecture == "mamba":
        return _mamba_layer(shape)
    if shape.architecture == "gpt2":
        return _gpt2_layer(shape)
    width, forward = shape.width, shape.feed_forward
    queries, keys = shape.heads * shape.head, shape.key_value_heads * shape.head
    common: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (width,),
        "attn_output.weight": (width, queries),
        "ffn_norm.weight": (width,),
        "ffn_down.weight": (width, forward),
    }
    if shape.architecture == "phi3":
        return {
            **common,
            "attn_qkv.weight": (queries + 2 * keys, width),
            "ffn_up.weight": (2 * forward, width),
        }
    if shape.architecture == "qwen2moe":
        common.pop("ffn_down.weight")
    apart = {
        **common,
        "attn_q.weight": (queries, width),
        "attn_k.weight": (keys, width),
        "attn_v.weight": (keys, width),
    }
    if shape.architecture != "qwen2moe":
        apart |= {"ffn_gate.weight": (forward, width), "ffn_up.weight": (forward, width)}
    return {**apart, **_additions(shape, queries, keys)}


def _additions(shape: Shape, queries: int, keys: int) -> dict[str, tuple[int, ...]]:
    """Return what an architecture has beside what Llama has."""
    width, part = shape.width, shape.feed_forward // 2
    biases = {"attn_q.bias": (queries,), "attn_k.bias": (keys,), "attn_v.bias": (keys,)}
    norms = {"attn_q_norm.weight": (shape.head,), "attn_k_norm.weight": (shape.head,)}
    after = {"post_attention_norm.weight": (width,), "post_ffw_norm.weight": (width,)}
    experts = {
        "ffn_gate_inp.weight": (EXPERTS, width),
        "ffn_gate_exps.weight": (EXPERTS, part, width),
        "ffn_up_exps.weight": (EXPERTS, part, width),
        "ffn_down_exps.weight": (EXPERTS, width, part),
        "ffn_gate_inp_shexp.weight": (width,),
        "ffn_gate_shexp.weight": (shape.feed_forward, width),
        "ffn_up_shexp.weight": (shape.feed_forward, width),
        "ffn_down_shexp.weight": (width, shape.feed_forward),
    }
    return {
        "qwen2": biases,
        "qwen3": norms,
        "gemma2": after,
        "gemma3": {**after, **norms},
        "qwen2moe": {**biases, **experts},
    }.get(shape.architecture, {})  # type: ignore[return-value]


def _gpt2_layer(shape: Shape) -> dict[str, tuple[int, ...]]:
    width, forward = shape.width, shape.feed_forward
    return {
        "attn_norm.weight": (width,),
        "attn_norm.bias": (width,),
        "attn_qkv.weight": (3 * width, width),
        "attn_qkv.bias": (3 * width,),
        "attn_output.weight": (width, width),
        "attn_output.bias": (width,),
        "ffn_norm.weight": (width,),
        "ffn_norm.bias": (width,),
        "ffn_up.weight": (forward, width),
        "ffn_up.bias": (forward,),
        "ffn_down.weight": (width, forward),
        "ffn_down.bias": (width,),
    }


def _mamba_layer(shape: Shape) -> dict[str, tuple[int, ...]]:
    width, inner, rank = shape.width, 2 * shape.width, shape.width // 16
    return {
        "attn_norm.weight": (width,),
        "ssm_in.weight": (2 * inner, width),
        "ssm_conv1d.weight": (inner, MAMBA_CONVOLUTION),
        "ssm_conv1d.bias": (inner,),
        "ssm_x.weight": (rank + 2 * MAMBA_STATE, inner),
        "ssm_dt.weight": (inner, rank),
        "ssm_dt.bias": (inner,),
        "ssm_a": (inner, MAMBA_STATE),
        "ssm_d": (inner,),
        "ssm_out.weight": (width, inner),
    }


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
