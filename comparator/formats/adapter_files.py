"""LoRA adapters as they lie on the disk: a GGUF file, or a folder of PEFT.

GGUF: llama.cpp's convert_lora_to_gguf.py and src/llama-adapter.cpp (``general.type`` is
``adapter``; each weight has a ``.lora_a`` and a ``.lora_b``). PEFT: ``adapter_config.json`` beside
``adapter_model.safetensors`` (https://huggingface.co/docs/peft/developer_guides/checkpoint).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelType
from comparator.core.text import with_controls_shown
from comparator.formats import gguf_header, safetensors_header
from comparator.formats.json_files import read_json
from comparator.formats.model_files import is_gguf

PEFT_CONFIG, PEFT_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PEFT_BEGINNING = "base_model.model."  # of the names of its matrices, before the layer's own
_PEFT_A, _PEFT_B = ".lora_A.weight", ".lora_B.weight"
_GGUF_A, _GGUF_B = ".lora_a", ".lora_b"
_GGUF_NORM = "_norm.weight"  # kept by the converter, left out by llama.cpp


@dataclass(frozen=True)
class AdapterFiles:
    """One adapter, without its numbers.

    Attributes:
        path: the file, or the folder of PEFT.
        kind: the engine whose models it is for.
        size: bytes of its weights.
        base: the model that it says it was made for; empty where it does not say.
        architecture: of its base, as llama.cpp calls it; empty for PEFT.
        shapes: for each weight that it changes, its rank and the weight's inputs and outputs.
        config: ``adapter_config.json``; empty for GGUF.
    """

    path: Path
    kind: ModelType
    size: int
    base: str
    architecture: str
    shapes: Mapping[str, tuple[int, int, int]]
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What a person calls it."""
        name = self.path.name
        return name.removesuffix(".gguf") if self.kind is ModelType.GGUF else name

    @property
    def rank(self) -> int:
        """The largest rank of its changes."""
        return max((rank for rank, _inputs, _outputs in self.shapes.values()), default=0)


def read_adapter(path: Path) -> AdapterFiles:
    """Return what an adapter's headers say.

    Raises:
        ModelLoadError: it is missing, no LoRA adapter, or damaged, and what to do.
    """
    try:
        if path.is_dir():
            return _of_folder(path)
        if not path.exists():
            raise ModelLoadError(f"There is no adapter at {path}. Was it moved or deleted?")
        return _of_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelLoadError(f"The adapter {path} cannot be read: {reason}.") from error


def is_gguf_adapter(path: Path) -> bool:
    """Tell whether a file is a GGUF whose header says that it is an adapter."""
    try:
        return is_gguf(path) and gguf_header.read_metadata(path).get("general.type") == "adapter"
    except (ModelLoadError, OSError, ValueError):
        return False


def _of_file(path: Path) -> AdapterFiles:
    if not path.is_file() or not is_gguf(path):
        raise ModelLoadError(
            f"{path.name} is no adapter: take a GGUF file made by convert_lora_to_gguf.py, or a "
            f"folder of PEFT with {PEFT_CONFIG}."
        )
    metadata, tensors = gguf_header.read_header(path)
    kind, made_as = metadata.get("general.type"), metadata.get("adapter.type")
    if kind != "adapter" or made_as != "lora":
        raise ModelLoadError(
            f"{path.name} is no LoRA adapter: its header says {_shown(made_as or kind or 'model')}."
        )
    if metadata.get("adapter.alora.invocation_tokens"):
        raise ModelLoadError(
            f"The adapter {path.name} is turned on by words of its own (aLoRA), which is not "
            "supported here."
        )
    gguf_header.check_complete(path)
    matrices = {
        tensor.name: _matrix(path, tensor.name, tensor.shape)
        for tensor in tensors
        if not tensor.name.endswith(_GGUF_NORM)
    }
    base = metadata.get("general.base_model.0.name")
    return AdapterFiles(
        path,
        ModelType.GGUF,
        sum(tensor.size for tensor in tensors),
        base if isinstance(base, str) else "",
        str(metadata.get("general.architecture") or ""),
        _pairs(path, matrices, _GGUF_A, _GGUF_B),
        {},
    )


def _of_folder(path: Path) -> AdapterFiles:
    if not (path / PEFT_CONFIG).exists():
        raise ModelLoadError(f"The folder {path.name} has no {PEFT_CONFIG}: it is no adapter.")
    config, weights = read_json(path / PEFT_CONFIG), path / PEFT_WEIGHTS
    _check_kind(path, config)
    if not weights.exists():
        raise ModelLoadError(
            f"The adapter {path.name} has no {PEFT_WEIGHTS}. Weights as .bin may hold programs and "
            "are not read: save the adapter as safetensors."
        )
    shapes = {
        name.removeprefix(PEFT_BEGINNING): (shape[::-1] if len(shape) == 2 else shape)
        for name, shape in safetensors_header.read_shapes(weights).items()
    }
    base = config.get("base_model_name_or_path")
    matrices = {name: _matrix(path, name, shape) for name, shape in shapes.items()}
    pairs = _pairs(path, matrices, _PEFT_A, _PEFT_B)
    _check_rank(path, config, pairs)
    return AdapterFiles(
        path,
        ModelType.PYTORCH,
        weights.stat().st_size,
        base if isinstance(base, str) else "",
        "",
        pairs,
        config,
    )


def _check_rank(
    path: Path, config: Mapping[str, Any], pairs: Mapping[str, tuple[int, int, int]]
) -> None:
    """Refuse matrices of another rank than the configuration says, by which they are scaled."""
    said = config.get("r")
    if not isinstance(said, int) or config.get("rank_pattern"):
        return
    for weight, (rank, _inputs, _outputs) in pairs.items():
        if rank != said:
            raise ModelLoadError(
                f"The adapter {path.name} is damaged: its {PEFT_CONFIG} says rank {said}, and the "
                f"matrices of {_shown(weight)} have {rank}. Download it again."
            )


def _check_kind(path: Path, config: Mapping[str, Any]) -> None:
    """Refuse what is no plain LoRA: its change of the weights is another formula."""
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelLoadError(
            f"The adapter {path.name} is of the kind {_shown(kind)}; only LoRA can be used here."
        )
    bias = config.get("bias") or "none"
    for is_so, words in (
        (config.get("use_dora"), "DoRA (use_dora)"),
        (config.get("modules_to_save"), "whole layers of its own (modules_to_save)"),
        (config.get("trainable_token_indices"), "new tokens (trainable_token_indices)"),
        (config.get("alora_invocation_tokens"), "words that turn it on (alora_invocation_tokens)"),
        (bias != "none", "biases of its own (bias)"),
    ):
        if is_so:
            raise ModelLoadError(
                f"The adapter {path.name} has {words}, which is not supported here. Merge it into "
                "its model with PEFT."
            )


def _matrix(path: Path, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) < 2 or not all(shape):
        raise ModelLoadError(
            f"The adapter {path.name} is damaged: {_shown(name)} is no matrix. Download it again."
        )
    return shape


def _pairs(
    path: Path, shapes: Mapping[str, tuple[int, ...]], end_a: str, end_b: str
) -> dict[str, tuple[int, int, int]]:
    """Join the two matrices of each weight; their shapes begin with the row's length."""
    found = {}
    for name, first in shapes.items():
        if name.endswith(end_b):
            continue
        weight = name.removesuffix(end_a)
        second = shapes.get(weight + end_b)
        if not name.endswith(end_a) or second is None:
            raise ModelLoadError(
                f"The adapter {path.name} has {_shown(name)}, which belongs to no pair of LoRA "
                "matrices that is known here."
            )
        if first[1] != second[0]:
            raise ModelLoadError(
                f"The adapter {path.name} is damaged: the matrices of {_shown(weight)} have the "
                f"ranks {first[1]} and {second[0]}. Download it again."
            )
        found[weight] = (first[1], first[0], second[1])
    if not found:
        raise ModelLoadError(f"The adapter {path.name} has no weights.")
    return found


def _shown(value: Any) -> str:
    return with_controls_shown(repr(value)[:120])
