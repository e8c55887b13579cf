"""What can be known of a model without loading it: quantisation, context, layers, heads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.library import gguf_header

LONGEST_CONFIG_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class ModelFacts:
    """Facts from a file's header or from ``config.json``; None where it does not say.

    ``key_value_bytes_per_token`` is the size of the KV cache of one token in 16-bit floats.
    """

    architecture: str | None = None
    quantisation: str | None = None
    context_length: int | None = None
    layers: int | None = None
    key_value_bytes_per_token: int | None = None
    has_chat_template: bool | None = None


def facts_of(model: ModelInfo) -> ModelFacts:
    """Return the facts of a model; empty ones where its files cannot be read."""
    try:
        stamp = Path(model.path).stat().st_mtime_ns
    except OSError:
        return ModelFacts()
    return _facts(model.path, model.model_type, stamp)


@lru_cache(maxsize=1024)
def _facts(path: str, kind: ModelType, _stamp: int) -> ModelFacts:
    try:
        if kind is ModelType.GGUF:
            return _gguf_facts(gguf_header.read_metadata(path))
        if kind is ModelType.PYTORCH:
            return _directory_facts(Path(path))
    except ModelLoadError:
        pass
    return ModelFacts()


def read_config(directory: Path) -> dict[str, Any]:
    """Return the ``config.json`` of a transformers directory.

    Raises:
        ModelLoadError: it is missing, unreadable, not JSON or no object.
    """
    return read_json(directory / "config.json")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file.

    Raises:
        ModelLoadError: it is missing, unreadable, not JSON or no object.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LONGEST_CONFIG_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"Cannot read {path}: {error}.") from error
    if len(text) > LONGEST_CONFIG_BYTES:
        raise ModelLoadError(f"{path} is larger than any {path.name}. Download the model again.")
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelLoadError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ModelLoadError(f"{path} must be a JSON object, not {type(config).__name__}.")
    return config


def _gguf_facts(metadata: dict[str, Any]) -> ModelFacts:
    architecture = _text(metadata.get("general.architecture"))

    def value(name: str) -> int | None:
        return _first(metadata, f"{architecture}.{name}")

    layers, heads = value("block_count"), value("attention.head_count")
    width = value("embedding_length")
    file_type = metadata.get("general.file_type")
    return ModelFacts(
        architecture=architecture,
        quantisation=gguf_header.FILE_TYPES.get(file_type) if file_type is not None else None,
        context_length=value("context_length"),
        layers=layers,
        key_value_bytes_per_token=_key_value_bytes(
            layers,
            value("attention.head_count_kv") or heads,
            value("attention.key_length") or _divided(width, heads),
        ),
        has_chat_template="tokenizer.chat_template" in metadata,
    )


def _directory_facts(directory: Path) -> ModelFacts:
    config = read_config(directory)
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    layers = _first(text, "num_hidden_layers", "n_layer", "num_layers")
    heads = _first(text, "num_attention_heads", "n_head", "num_heads")
    return ModelFacts(
        architecture=_text(config.get("model_type")),
        quantisation=_dtype(config),
        context_length=_first(text, "max_position_embeddings", "n_positions", "n_ctx"),
        layers=layers,
        key_value_bytes_per_token=_key_value_bytes(
            layers,
            _first(text, "num_key_value_heads") or heads,
            _first(text, "head_dim") or _divided(_first(text, "hidden_size", "n_embd"), heads),
        ),
        has_chat_template=_has_template(directory),
    )


def _has_template(directory: Path) -> bool:
    if (directory / "chat_template.jinja").exists():
        return True
    try:
        return "chat_template" in (directory / "tokenizer_config.json").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _dtype(config: dict[str, Any]) -> str | None:
    quantised = config.get("quantization_config")
    if isinstance(quantised, dict):
        return _text(quantised.get("quant_method"))
    return _text(config.get("dtype") or config.get("torch_dtype"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _first(config: Any, *names: str) -> int | None:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _divided(width: Any, heads: Any) -> int | None:
    if isinstance(width, int) and isinstance(heads, int) and heads > 0:
        return width // heads
    return None


def _key_value_bytes(layers: Any, heads: Any, head_size: Any) -> int | None:
    """Keys and values of one token: 2 x layers x KV heads x head size x 2 bytes."""
    if not all(isinstance(part, int) and part > 0 for part in (layers, heads, head_size)):
        return None
    return int(2 * layers * heads * head_size * 2)
