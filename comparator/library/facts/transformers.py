"""Facts of a transformers directory, from its small files and the headers of its weights."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.formats import packed_weights, safetensors_header
from comparator.formats.json_files import read_config, read_json
from comparator.formats.model_files import is_safetensors_name
from comparator.formats.weights import weight_files
from comparator.library import names as model_names
from comparator.library.facts import model_card, purposes
from comparator.library.facts.key_value_cache import cache_layers
from comparator.library.facts.template_arguments import (
    arguments_asked_by,
    template_of_directory,
)
from comparator.library.facts.values import (
    ModelFacts,
    count_of,
    shares,
    text_of,
)

_MOST_WEIGHT_FILES = 10_000
_NUMBER_TYPES = {
    "F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8",
}  # fmt: skip
_SHORT_NAMES = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads")
_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
_OF_ENCODERS = ("modules.json", "1_Pooling", "config_sentence_transformers.json")


@dataclass(frozen=True)
class _Weights:
    """Numbers by their type, and bytes of them all."""

    numbers: dict[str, int]
    size: int


def facts_of_directory(directory: Path) -> ModelFacts:
    """Return the facts of a transformers directory.

    Raises:
        ModelLoadError: its ``config.json`` cannot be read.
    """
    config = read_config(directory)
    text = text_config(config)
    card, weights = model_card.read_card(directory), _weights(directory)
    has_template = _has_template(directory)
    heads = count_of(text, *_HEADS)
    purpose = _purpose(directory, config)
    origin = _origin(config)
    kind = purposes.kind_of((directory.name, origin, *card.tags), has_template)
    packed = _packed(directory, config)
    total = sum(weights.numbers.values())
    return ModelFacts(
        architecture=text_of(config.get("model_type")),
        quantisation=_label(config, weights, packed),
        context_length=count_of(text, *_CONTEXT),
        layers=count_of(text, *_LAYERS),
        has_chat_template=has_template,
        parameters=None if packed else total or None,
        tensor_types=shares({_upper(name): n for name, n in weights.numbers.items()}),
        embedding_length=count_of(text, "hidden_size", "n_embd", "d_model"),
        vocabulary_size=count_of(text, "vocab_size"),
        bits_per_weight=None if packed or not total else weights.size * 8 / total,
        heads=heads,
        key_value_heads=count_of(text, "num_key_value_heads", "num_kv_heads") or heads,
        licence=card.licence,
        kind=kind if purpose == purposes.LANGUAGE else None,
        base_model=card.base_model or (origin if origin and origin.count("/") == 1 else None),
        family=model_names.plain_name(origin or directory.name),
        purpose=purpose,
        needs_remote_code=_needs_remote_code(config),
        template_arguments=arguments_asked_by(template_of_directory(directory)),
        cache_layers=cache_layers(text),
        quantisation_method=packed,
    )


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a ``config.json`` that is about text; mostly the whole."""
    text = config.get("text_config")
    return text if isinstance(text, dict) else config


def _weights(directory: Path) -> _Weights:
    """Add up the headers of all safetensors files; nothing where one cannot be read."""
    numbers: dict[str, int] = {}
    size = 0
    try:
        for path in _safetensors(directory):
            for kind, (number, length) in safetensors_header.read_sizes(path).items():
                numbers[kind] = numbers.get(kind, 0) + number
                size += length
    except (ModelLoadError, OSError):
        return _Weights({}, 0)
    return _Weights(numbers, size)


def _safetensors(directory: Path) -> list[Path]:
    """Return the weights that are read, where their headers can be; nothing of older kinds."""
    files = [path for path in weight_files(directory) if is_safetensors_name(path.name)]
    return files[:_MOST_WEIGHT_FILES]


def _upper(name: str) -> str:
    return name.upper().replace("BFLOAT", "BF").replace("FLOAT", "F")


def _packed(directory: Path, config: dict[str, Any]) -> str | None:
    declared = packed_weights.method_of(config)
    return declared[0] if declared else packed_weights.method_of_files(weight_files(directory))


def _label(config: dict[str, Any], weights: _Weights, packed: str | None) -> str | None:
    if packed:
        return packed_weights.label_of(config) or packed_weights.title_of(packed)
    if weights.numbers:
        main = max(weights.numbers, key=weights.numbers.__getitem__)
        return _NUMBER_TYPES.get(main, main)
    declared = text_of(config.get("dtype") or config.get("torch_dtype"))
    return _SHORT_NAMES.get(declared.removeprefix("torch."), declared) if declared else None


def _origin(config: Mapping[str, Any]) -> str | None:
    """Return the name under which the model was saved, never a folder of some machine."""
    name = text_of(config.get("_name_or_path")) or text_of(config.get("_model_name_or_path"))
    if name is None or name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1:
        return None
    return name


def _purpose(directory: Path, config: dict[str, Any]) -> str | None:
    if any((directory / name).exists() for name in _OF_ENCODERS):
        return "embedding"
    if (directory / "model_index.json").exists():
        return "image generation"
    classes = config.get("architectures")
    names = [n for n in classes if isinstance(n, str)] if isinstance(classes, list) else []
    labels = config.get("id2label")
    number = len(labels) if isinstance(labels, dict) else count_of(config, "num_labels")
    if config.get("is_encoder_decoder") is True and not any("Speech" in n for n in names):
        model_type = text_of(config.get("model_type")) or ""
        return "speech" if model_type in ("whisper", "speech_to_text") else "encoder-decoder"
    return purposes.of_classes(names, text_of(config.get("model_type")), number)


def _needs_remote_code(config: Mapping[str, Any]) -> bool:
    """Whether classes are named that are not transformers' own."""
    return bool(config.get("auto_map"))


def _has_template(directory: Path) -> bool:
    if (directory / "chat_template.jinja").exists():
        return True
    with contextlib.suppress(ModelLoadError):
        return bool(read_json(directory / "tokenizer_config.json").get("chat_template"))
    return (directory / "chat_template.json").exists()
