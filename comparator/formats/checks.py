"""What can be refused before any process starts, with a sentence for each reason."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.core.text import with_controls_shown
from comparator.formats import gguf_header, gguf_kinds, packed_weights
from comparator.formats.json_files import read_config, read_json
from comparator.formats.model_files import is_gguf, is_safetensors_name
from comparator.formats.shards import shards_of
from comparator.formats.weights import is_read_by_transformers, left_over, weight_files, weights_of

_LFS_POINTER = b"version https://git-lfs"
_ARCHIVE = b"PK\x03\x04"  # PyTorch's files are ZIP archives, before 1.6 bare pickles
_PICKLED = (_ARCHIVE, b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_WEB_PAGE = (b"<!doctype", b"<html")
_WRONG_SHAPE = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError)
_MOST_LAYERS = 10_000
_LARGEST_SIZE = 100_000_000
_MOST = {  # the same numbers have several names, one for each family of models
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), _MOST_LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), _MOST_LAYERS),
    "num_key_value_heads": _MOST_LAYERS,
    **dict.fromkeys(("hidden_size", "n_embd", "d_model"), _LARGEST_SIZE),
    **dict.fromkeys(("intermediate_size", "head_dim", "vocab_size"), _LARGEST_SIZE),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 2**40),
}


def check(model: ModelInfo, config: ModelConfig) -> None:
    """Refuse a model that cannot be loaded or must not be.

    Raises:
        ModelLoadError: what is wrong with which file, and what to do.
    """
    if model.model_type is ModelType.CUSTOM:
        return
    path = Path(model.path)
    try:
        _check_files(model, path, config)
    except OSError as error:
        raise ModelLoadError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (*_WRONG_SHAPE, RecursionError) as error:  # a form of damage that nobody foresaw
        raise ModelLoadError(
            f"{path.name} is damaged: its files could not be checked ({type(error).__name__}). "
            "Download it again."
        ) from error


def check_gguf_file(path: Path) -> None:
    """Refuse what is no GGUF file before C code reads it.

    Raises:
        ModelLoadError: what the path is instead.
    """
    try:
        _check_beginning(path, _status(path))
        if not is_gguf(path):
            with open(path, "rb") as file:
                start = file.read(4)
            raise ModelLoadError(f"{path.name} is not a GGUF file: it starts with {start!r}.")
    except OSError as error:
        raise ModelLoadError(f"Cannot read {path}: {error.strerror or error}.") from error


def _check_files(model: ModelInfo, path: Path, config: ModelConfig) -> None:
    status = _status(path)
    if model.problem:
        raise ModelLoadError(model.problem)
    if model.model_type is ModelType.PYTORCH:
        _check_directory(path, status, config)
    elif model.model_type is ModelType.GGUF:
        _check_gguf(path, status)
    else:
        _check_regular(path, status)


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError:
        raise ModelLoadError(f"No file or folder at {path}. Was it moved or deleted?") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelLoadError(f"Cannot read {path}: {reason}.") from error


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ModelLoadError(f"{path.name} is a folder, not a {path.suffix or 'model'} file.")
    if not stat.S_ISREG(status.st_mode):
        raise ModelLoadError(f"{path.name} is not a regular file.")
    if status.st_size == 0:
        raise ModelLoadError(f"{path.name} is empty (0 bytes). Download it again.")


def _check_beginning(path: Path, status: os.stat_result) -> None:
    """Refuse what is often saved in the place of a model."""
    _check_regular(path, status)
    with open(path, "rb") as file:
        start = file.read(512).lstrip()
    if start.lower().startswith(_WEB_PAGE):
        raise ModelLoadError(
            f"{path.name} is a web page, not a model (it starts with '{start[:9].decode()}'). "
            "Download the file itself."
        )
    if start.startswith(_LFS_POINTER):
        raise ModelLoadError(
            f"{path.name} is a Git LFS pointer ({status.st_size} bytes), not the model. "
            "Run git lfs pull in its folder."
        )


def _check_gguf(path: Path, status: os.stat_result) -> None:
    _check_beginning(path, status)
    shards = shards_of(path)
    for shard in shards:
        if shard != path:
            _check_beginning(shard, _status(shard))
        summary = gguf_header.check_complete(shard)
        _check_made_for(path.name, summary, is_whole=len(shards) == 1)


def _check_made_for(name: str, summary: gguf_header.Summary, is_whole: bool) -> None:
    """Refuse parts of other models, at which llama.cpp ends, and files for another program.

    The last of several shards may well hold nothing but a head.
    """
    is_head = gguf_kinds.PURPOSES.get(summary.architecture or "") == "draft head"
    if is_head or (is_whole and summary.is_head):
        raise ModelLoadError(f"{name} is no model. {gguf_kinds.DRAFT_HEAD}")
    reason = gguf_kinds.of_another_program(summary.architecture, summary.kinds)
    if reason:
        raise ModelLoadError(f"{name} is made for another program. {reason}")


def _check_directory(path: Path, status: os.stat_result, config: ModelConfig) -> None:
    if not stat.S_ISDIR(status.st_mode):
        _check_beginning(path, status)
        raise ModelLoadError(
            f"{path.name} is weights only. Put config.json and the tokenizer files beside it "
            "and choose the folder."
        )
    names = {entry.name for entry in os.scandir(path)}
    if not names:
        raise ModelLoadError(f"The folder {path} is empty: no config.json, no weights, no .gguf.")
    if "adapter_config.json" in names and "config.json" not in names:
        raise ModelLoadError(
            f"{path.name} is a LoRA adapter; it needs its base model{_base_of(path)}. "
            "Merge the two, or choose a model that is whole."
        )
    content = read_config(path)
    _check_config(content, config)
    _check_packed(path, content)
    _check_weights(path, names)


def _check_packed(path: Path, content: dict[str, Any]) -> None:
    """Refuse what another library quantised, before names of files that only that one reads."""
    declared = packed_weights.method_of(content)
    name = declared[0] if declared else packed_weights.method_of_files(weight_files(path))
    if name is None:
        return
    label = packed_weights.label_of(content) or packed_weights.title_of(name)
    reason = packed_weights.why_not_here(name, label)
    if reason:
        raise ModelLoadError(reason)


def _base_of(path: Path) -> str:
    """Return which model an adapter was made for, as words to append."""
    try:
        name = read_json(path / "adapter_config.json").get("base_model_name_or_path")
    except ModelLoadError:
        return ""
    return f" ({with_controls_shown(name[:200])})" if isinstance(name, str) and name else ""


def _check_config(content: dict[str, Any], config: ModelConfig) -> None:
    if not isinstance(content.get("model_type"), str):
        raise ModelLoadError("config.json does not say its model_type. Download the model again.")
    if content.get("auto_map") and not config.trust_remote_code:
        raise ModelLoadError(
            f"The model needs Python code of its own ({_code_files(content['auto_map'])}, by "
            "auto_map in config.json), which is not run. "
            "If you trust its author, set trust_remote_code for this model."
        )
    for part in (content, *(value for value in content.values() if isinstance(value, dict))):
        _check_no_kernel(part)
        _check_sizes(part)


def _code_files(auto_map: Any) -> str:
    """Return the files with the model's own code, as its configuration names them."""
    names = auto_map.values() if isinstance(auto_map, dict) else [auto_map]
    modules = {str(name).rpartition(".")[0] or str(name) for name in names}
    return with_controls_shown(", ".join(f"{name[:60]}.py" for name in sorted(modules)[:3]))


def _check_no_kernel(content: dict[str, Any]) -> None:
    for name in ("_attn_implementation", "attn_implementation"):
        if "/" in str(content.get(name) or ""):
            wanted = with_controls_shown(str(content[name])[:100])
            raise ModelLoadError(
                f"config.json asks for code from the internet ({wanted}); refused."
            )


def _check_sizes(content: dict[str, Any]) -> None:
    """Refuse numbers that no model has, before an engine allocates for them."""
    for name, most in _MOST.items():
        value = content.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise ModelLoadError(f"config.json: {name} is {value!r}; it must be a number.")
        if not 1 <= value <= most:
            raise ModelLoadError(f"config.json: {name} is {value}; it must be 1 to {most}.")


def _check_weights(path: Path, names: set[str]) -> None:
    found = weights_of(path, names)
    if found.problem:
        raise ModelLoadError(found.problem)
    if not found.names:
        raise ModelLoadError(
            f"The folder {path} has a config.json but no weights. Download the model again."
        )
    if not is_read_by_transformers(found):
        raise ModelLoadError(
            f"Weights named {found.names[0]} are not read by transformers. Rename them to "
            "model.safetensors (or pytorch_model.bin), or put their index file beside them."
        )
    for name in found.names:
        _check_beginning(path / name, _status(path / name))
        if is_safetensors_name(name):
            _check_safetensors(path / name)
        else:
            _check_pickled(path / name)
    for name in left_over(path, names):
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG((path / name).stat().st_mode):
                raise ModelLoadError(f"{name} is not a regular file.")


def _check_safetensors(path: Path) -> None:
    """Compare a safetensors file's length with what its header promises.

    Format: https://huggingface.co/docs/safetensors, an eight-byte length, a JSON header, data.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(9)
        file.seek(8)
        if start.startswith(_PICKLED):
            raise ModelLoadError(
                f"{path.name} is named .safetensors but is a PyTorch file. Rename it, or convert "
                "it to safetensors."
            )
        if len(start) < 8 or (length := struct.unpack("<Q", start[:8])[0]) > min(size, 100_000_000):
            raise ModelLoadError(f"{path.name} is not a safetensors file, or it is damaged.")
        try:
            header = json.loads(file.read(length))
            tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
            end = max((int(tensor["data_offsets"][1]) for tensor in tensors), default=0)
        except (*_WRONG_SHAPE, RecursionError):
            raise ModelLoadError(f"{path.name} has a damaged header. Download it again.") from None
    expected = 8 + length + end
    if size < expected:
        raise ModelLoadError(
            f"{path.name} is incomplete: {size} of {expected} bytes. Download it again."
        )


def _check_pickled(path: Path) -> None:
    """Refuse a PyTorch file that is another format, or a ZIP archive without its end."""
    with open(path, "rb") as file:
        start = file.read(10)
    if start[8:9] == b"{" and not start.startswith(_PICKLED):
        raise ModelLoadError(
            f"{path.name} is named {path.suffix} but is safetensors. Rename it to "
            f"{path.stem}.safetensors."
        )
    if start.startswith(_ARCHIVE) and not zipfile.is_zipfile(path):
        raise ModelLoadError(
            f"{path.name} is a damaged or incomplete PyTorch file: its end is missing. "
            "Download it again."
        )
