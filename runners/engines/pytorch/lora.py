"""LoRA adapters merged into the weights of a loaded transformers model.

The formula is that of https://arxiv.org/abs/2106.09685 as PEFT keeps it: W + scale * B A, with
scale = alpha / rank, or alpha / sqrt(rank) where ``use_rslora`` says so. A few lines, since PEFT
itself would bring accelerate and its own wrappers around each layer, which decode more slowly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.core.lora import Adapter
from comparator.core.models import ModelType
from comparator.core.text import with_controls_shown
from comparator.formats.adapter_files import (
    PEFT_BEGINNING,
    PEFT_WEIGHTS,
    AdapterFiles,
    read_adapter,
)


def merge(model: Any, adapters: Iterable[Adapter]) -> None:
    """Add adapters to a model's weights, one after another.

    Raises:
        ModelLoadError: one is no adapter of PEFT, or does not fit the model.
    """
    for adapter in adapters:
        files = read_adapter(Path(adapter.name))
        if files.kind is not ModelType.PYTORCH:
            raise ModelLoadError(
                f"The adapter {files.name} is for GGUF files. Take it as a folder of PEFT."
            )
        _merge_one(model, files, adapter.scale)


def _merge_one(model: Any, files: AdapterFiles, scale: float) -> None:
    import torch
    from safetensors.torch import load_file

    tensors = load_file(files.path / PEFT_WEIGHTS)
    with torch.no_grad():
        for layer, (rank, inputs, outputs) in files.shapes.items():
            a, b = (tensors[f"{PEFT_BEGINNING}{layer}.lora_{part}.weight"].float() for part in "AB")
            change = (b @ a) * (scale * scaling(files.config, layer, rank))
            if not bool(torch.isfinite(change).all()):
                raise ModelLoadError(
                    f"The adapter {files.name} holds numbers that are none (NaN or infinite). "
                    "Download it again."
                )
            _add(_module(model, layer, files), change, (outputs, inputs), layer, files)


def scaling(config: Mapping[str, Any], layer: str, rank: int) -> float:
    """Return by how much the product of a layer's matrices is multiplied.

    Raises:
        ModelLoadError: the adapter's configuration has no number for it.
    """
    alpha = _of_layer(config.get("alpha_pattern"), layer, config.get("lora_alpha"))
    is_number = isinstance(alpha, (int, float)) and not isinstance(alpha, bool)
    if not is_number or not math.isfinite(alpha):
        raise ModelLoadError(f"adapter_config.json: lora_alpha must be a number, not {alpha!r}.")
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _of_layer(pattern: Any, layer: str, usual: Any) -> Any:
    """Return a layer's own value: PEFT takes keys as ends of names, with regular expressions."""
    for key, value in pattern.items() if isinstance(pattern, Mapping) else ():
        try:
            if re.fullmatch(rf"(.*\.)?({str(key).removeprefix('^')})", layer):
                return value
        except re.error:
            continue
    return usual


def _module(model: Any, layer: str, files: AdapterFiles) -> Any:
    try:
        return model.get_submodule(layer)
    except AttributeError:
        raise ModelLoadError(
            f"The adapter {files.name} changes {with_controls_shown(layer[:80])}, which the model "
            "does not have. Choose the model that it was made for."
        ) from None


def _add(module: Any, change: Any, shape: tuple[int, int], layer: str, files: AdapterFiles) -> None:
    """Give a layer weights of its own with the change in them; tied weights stay as they are."""
    import torch
    from transformers.pytorch_utils import Conv1D

    if type(module) not in (torch.nn.Linear, Conv1D):
        raise ModelLoadError(
            f"The adapter {files.name} changes {with_controls_shown(layer[:80])}, which is a "
            f"{type(module).__name__} here: only plain linear layers can be changed. Use a model "
            "that is not quantised, or merge the adapter with PEFT."
        )
    weight = module.weight
    if type(module) is Conv1D:  # of GPT-2: rows and columns are exchanged
        change, shape = change.T, shape[::-1]
    if tuple(weight.shape) != shape:
        raise ModelLoadError(
            f"The adapter {files.name} does not fit: it changes {with_controls_shown(layer[:80])} "
            f"as {list(shape)}, and the model has {list(weight.shape)}."
        )
    merged = (weight.float() + change.to(weight.device)).to(weight.dtype)
    module.weight = torch.nn.Parameter(merged, requires_grad=False)
