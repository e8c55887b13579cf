"""Facts of a GGUF model, from the headers of its files.

Keys and defaults: llama.cpp, src/llama-arch.cpp (names), src/llama-hparams.cpp (heads of a layer,
set_swa_pattern) and src/models (which architectures have windows, and in which layers).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from comparator.formats import gguf_header
from comparator.formats.gguf_header import FILE_TYPES, TENSOR_TYPE_NAMES, ArrayLength, Tensor
from comparator.formats.gguf_kinds import is_mtp_head, of_another_program
from comparator.formats.model_files import without_gguf_suffix
from comparator.formats.quantisation_names import label_in
from comparator.formats.shards import shards_of
from comparator.library import names
from comparator.library.facts import model_card, purposes
from comparator.library.facts.makers import maker_of
from comparator.library.facts.quantisation_labels import label_of
from comparator.library.facts.template_arguments import arguments_asked_by
from comparator.library.facts.values import (
    MOST_LAYERS,
    ModelFacts,
    count_of,
    divided,
    grouped,
    shares,
    text_of,
)

# Every n-th layer sees all tokens (set_swa_pattern). Without an entry here or a pattern in the
# file, llama.cpp ignores a window (llama, qwen2, phi3 …).
_WINDOW_PERIODS = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gemma-embedding": 6, "cohere2": 4, "gpt-oss": 2,
    "llama4": 4, "exaone4": 4, "exaone-moe": 4, "olmo2": 4, "afmoe": 4, "plamo3": 8,
    "smallthinker": 4, "modern-bert": 3,
}  # fmt: skip
_DENSE_FIRST = frozenset({"smallthinker", "modern-bert"})  # the period begins with a full layer
_OWN_WINDOWS = {"llama4": 8192, "smallthinker": 4096}  # written in llama.cpp, not in the file
_WITHOUT_CACHE = frozenset({"mamba", "mamba2", "rwkv6", "rwkv7", "rwkv6qwen2", "arwkv7"})
# Every n-th layer has attention, the others a state of fixed size.
_ATTENTION_PERIODS = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
_LAYERS_WITH_OWN_CACHE = {"gemma3n": 20}  # the layers behind use the cache of these


def facts_of_gguf(path: Path, name: str = "") -> ModelFacts:
    """Return the facts of a GGUF model by the path of its first file; shards are added up.

    Args:
        path: of the file.
        name: what the model is called where its file has no name of its own, as in Ollama's store.

    Raises:
        ModelLoadError: its header cannot be read.
    """
    metadata, tensors = gguf_header.read_header(path)
    for shard in shards_of(path):
        if shard != path and shard.exists():
            tensors += gguf_header.read_header(shard)[1]
    facts = _with_tensors(_of_metadata(metadata, path), tensors)
    facts = _with_label(facts, metadata, tensors, _name_of(path, name), path)
    return _with_card(facts, path)


def _of_metadata(metadata: dict[str, Any], path: Path) -> ModelFacts:
    architecture = text_of(metadata.get("general.architecture"))
    own = _own(metadata, architecture or "")
    layers = count_of(own, "block_count")
    has_template = bool(text_of(metadata.get("tokenizer.chat_template")))
    purpose = purposes.of_gguf(
        text_of(metadata.get("general.type")),
        architecture,
        count_of(own, "pooling_type"),
        own.get("attention.causal") is not False,
    )
    name, finetune = (text_of(metadata.get(f"general.{key}")) for key in ("name", "finetune"))
    kind = purposes.kind_of((name, finetune, path.stem), has_template)
    return ModelFacts(
        architecture=architecture,
        context_length=count_of(own, "context_length"),
        layers=layers,
        has_chat_template=has_template,
        embedding_length=count_of(own, "embedding_length"),
        vocabulary_size=_length(metadata.get("tokenizer.ggml.tokens"))
        or count_of(own, "vocab_size"),
        heads=max(_each(own.get("attention.head_count"), layers or 1), default=0) or None,
        key_value_heads=max(_key_value_heads(own, layers or 1), default=0) or None,
        licence=text_of(metadata.get("general.license")),
        kind=kind if purpose == purposes.LANGUAGE else None,
        base_model=_base_model(metadata),
        family=_family(metadata) or names.plain_name(path.name),
        purpose=purpose,
        cache_layers=grouped(_cache(own, architecture or "", min(layers or 0, MOST_LAYERS))),
        template_arguments=arguments_asked_by(metadata.get("tokenizer.chat_template")),
    )


def _name_of(path: Path, name: str) -> str | None:
    """Return the quantisation that a file's name says, else its model's or its folder's."""
    texts = (without_gguf_suffix(path.name), name, path.parent.name)
    return next((label for text in texts if (label := label_in(text))), None)


def _with_label(
    facts: ModelFacts,
    metadata: Mapping[str, Any],
    tensors: Sequence[Tensor],
    named: str | None,
    path: Path,
) -> ModelFacts:
    file_type = metadata.get("general.file_type")
    declared = FILE_TYPES.get(file_type) if isinstance(file_type, int) else None
    label = label_of(named, declared, tensors)
    return replace(
        facts,
        quantisation=label.name,
        quantisation_warning=label.warning,
        maker=maker_of(metadata, label.name, path),
    )


def _with_tensors(facts: ModelFacts, tensors: Sequence[Tensor]) -> ModelFacts:
    numbers: dict[str, int] = {}
    for tensor in tensors:
        name = TENSOR_TYPE_NAMES.get(tensor.kind, f"type {tensor.kind}")
        numbers[name] = numbers.get(name, 0) + tensor.weights
    weights = sum(numbers.values())
    known = all(tensor.size for tensor in tensors if tensor.weights)
    purpose = _purpose_of_tensors(tensors)
    return replace(
        facts,
        parameters=weights or None,
        tensor_types=shares(numbers),
        bits_per_weight=sum(t.size for t in tensors) * 8 / weights if weights and known else None,
        made_for=of_another_program(facts.architecture, (tensor.kind for tensor in tensors)),
        purpose=purpose or facts.purpose,
        kind=None if purpose else facts.kind,
    )


def _purpose_of_tensors(tensors: Sequence[Tensor]) -> str | None:
    """Return what a file is for where its tensors say more than its header."""
    if any(tensor.name.startswith("cls.output") for tensor in tensors):
        return "reranker"
    return "draft head" if is_mtp_head(tensor.name for tensor in tensors) else None


def _with_card(facts: ModelFacts, path: Path) -> ModelFacts:
    if facts.licence and facts.base_model:
        return facts
    card = model_card.read_card(path.parent)
    return replace(
        facts,
        licence=facts.licence or card.licence,
        base_model=facts.base_model or card.base_model,
    )


def _own(metadata: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """Return the entries of an architecture without its name before each."""
    begin = f"{architecture}."
    return {key[len(begin) :]: v for key, v in metadata.items() if key.startswith(begin)}


def _length(value: Any) -> int | None:
    if isinstance(value, ArrayLength):
        return int(value)
    return len(value) or None if isinstance(value, list) else None


def _base_model(metadata: Mapping[str, Any]) -> str | None:
    begin = "general.base_model.0."
    address = text_of(metadata.get(f"{begin}repo_url")) or ""
    if address.count("/") >= 4:  # https://host/organisation/name
        return "/".join(address.rstrip("/").split("/")[-2:])
    parts = (text_of(metadata.get(begin + key)) for key in ("organization", "name"))
    return "/".join(part.replace(" ", "-") for part in parts if part) or None


def _family(metadata: Mapping[str, Any]) -> str | None:
    keys = ("basename", "size_label", "finetune", "version")
    parts = [text_of(metadata.get(f"general.{key}")) for key in keys]
    if not parts[0]:
        return text_of(metadata.get("general.name"))
    return "-".join(part for part in parts if part)


def _each(value: Any, layers: int) -> list[int]:
    """Return a number of each layer: the file has one for all, or one a layer."""
    if type(value) is int and 0 <= value < 2**31:
        return [value] * min(layers, MOST_LAYERS)
    if isinstance(value, list) and all(type(v) is int and 0 <= v < 2**31 for v in value):
        return value[:layers]
    return []


def _key_value_heads(own: Mapping[str, Any], layers: int) -> list[int]:
    return _each(own.get("attention.head_count_kv", own.get("attention.head_count")), layers)


def _cache(own: Mapping[str, Any], architecture: str, layers: int) -> Iterator[tuple[int, int]]:
    """Yield bytes of one token and the window of each layer, as llama-kv-cache.cpp keeps them.

    A layer keeps heads x (key length + value length) numbers. Where keys are stored compressed
    (multi-head latent attention, ``key_length_mla``) there are no values of their own.
    """
    heads = max(_each(own.get("attention.head_count"), layers), default=0)
    head = divided(count_of(own, "embedding_length"), heads)
    compressed = count_of(own, "attention.key_length_mla") is not None
    windows = _windows(own, architecture, layers)
    for layer, number in enumerate(_key_value_heads(own, layers)):
        if not _has_cache(own, architecture, layer, layers):
            continue
        keys, values = (
            (windows[layer] and count_of(own, f"attention.{part}_length_swa"))
            or count_of(own, f"attention.{part}_length")
            or head
            or 0
            for part in ("key", "value")
        )
        yield 2 * number * (keys if compressed else keys + values), windows[layer]


def _has_cache(own: Mapping[str, Any], architecture: str, layer: int, layers: int) -> bool:
    if architecture in _WITHOUT_CACHE:
        return False
    shared = count_of(own, "attention.shared_kv_layers") or 0
    if layer >= _LAYERS_WITH_OWN_CACHE.get(architecture, layers - shared):
        return False
    period = count_of(own, "full_attention_interval") or _ATTENTION_PERIODS.get(architecture)
    return period is None or architecture not in _ATTENTION_PERIODS or (layer + 1) % period == 0


def _windows(own: Mapping[str, Any], architecture: str, layers: int) -> list[int]:
    """Return how many tokens each layer keeps; 0 for all."""
    window = count_of(own, "attention.sliding_window") or _OWN_WINDOWS.get(architecture, 0)
    pattern = own.get("attention.sliding_window_pattern", _WINDOW_PERIODS.get(architecture))
    if isinstance(pattern, list) and pattern:
        return [window if pattern[layer % len(pattern)] else 0 for layer in range(layers)]
    if type(pattern) is not int or pattern < 0:
        return [0] * layers
    full = 0 if architecture in _DENSE_FIRST else pattern - 1
    return [window if pattern == 0 or layer % pattern != full else 0 for layer in range(layers)]
