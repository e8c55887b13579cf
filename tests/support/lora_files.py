"""LoRA adapters that the tests make: one random change as a folder of PEFT and as a GGUF file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import model_files

TARGETS = ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")


def write_peft(
    folder: Path,
    base: Path,
    *,
    seed: int = 1,
    rank: int = 4,
    alpha: float = 16,
    targets: Iterable[str] = TARGETS,
    **config: Any,
) -> Path:
    """Write an adapter of PEFT for the folder of a model; ``config`` changes its configuration."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    tensors = {}
    for name, weight in model_files.weights_of(base).items():
        layer = name.removesuffix(".weight")
        if layer.endswith(tuple(targets)):
            outputs, inputs = weight.shape
            beginning = f"base_model.model.{layer}.lora_"
            tensors[f"{beginning}A.weight"] = torch.randn(rank, inputs) * 0.1
            tensors[f"{beginning}B.weight"] = torch.randn(outputs, rank) * 0.1
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    said = {
        "peft_type": "LORA",
        "base_model_name_or_path": f"someone/{base.name}",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": list(targets),
        **config,
    }
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return folder


def tensors_of(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "adapter_model.safetensors"))


def write_gguf(
    path: Path,
    peft: Path,
    *,
    architecture: str = "llama",
    with_norm: bool = False,
    **metadata: Any,
) -> Path:
    """Write a GGUF file of an adapter of PEFT, as convert_lora_to_gguf.py of llama.cpp does.

    Adapters that mergekit has extracted have norms as well (``with_norm``).
    """
    import numpy as np
    from gguf import GGUFWriter

    config = json.loads((peft / "adapter_config.json").read_text())
    writer = GGUFWriter(path, architecture)
    said = {"general.type": "adapter", "adapter.type": "lora", **metadata}
    for key, text in said.items():
        writer.add_string(key, text)
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for name, tensor in tensors_of(peft).items():
        layer, _, part = name.removeprefix("base_model.model.").rpartition(".lora_")
        array = tensor.float().numpy()
        if part.startswith("B"):
            array = _in_order(layer, array)
        weight = model_files._gguf_name(f"{layer}.weight")
        writer.add_tensor(f"{weight}.lora_{part[0].lower()}", array)
    if with_norm:
        writer.add_tensor("blk.0.attn_norm.weight", np.ones(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _in_order(layer: str, array: Any) -> Any:
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
    kind = heads.get(layer.rpartition(".")[2])
    return model_files._interleaved(array, model_files.SIZES[kind]) if kind else array


def merge(folder: Path, peft: Path, scale: float = 1.0) -> None:
    """Add an adapter to the weights of a folder, by the formula and nothing else."""
    config = json.loads((peft / "adapter_config.json").read_text())
    weights, tensors = model_files.weights_of(folder), tensors_of(peft)
    for name in [name for name in tensors if name.endswith("lora_A.weight")]:
        layer = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        change = tensors[name.replace("lora_A", "lora_B")] @ tensors[name]
        weights[f"{layer}.weight"] += change * (scale * config["lora_alpha"] / config["r"])
    model_files.write_weights(folder, weights)
