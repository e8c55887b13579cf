"""Loads a transformers directory: its weights whole and its own, or a sentence why not."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, ModelLoadError
from comparator.core.text import with_controls_shown
from comparator.formats.model_files import is_safetensors_name
from comparator.formats.weights import WeightFiles, weights_of
from runners.engines.pytorch import adapter, pinned_memory, placement
from runners.engines.pytorch.progress import load_reported
from runners.protocol import JobProgress

FAST_ATTENTION = "sdpa"

_NOT_CAUSAL = (
    "ForMaskedLM",
    "ForMultipleChoice",
    "ForNextSentencePrediction",
    "ForPreTraining",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
)
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "tokenizer.model",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)
_TRAINING = {"model", "model_state_dict", "optimizer", "optimizer_state_dict", "epoch"}
_TRAINING_PARTS = ("module.", "optimizer.", "model_state_dict.", "optimizer_state_dict.")
_FORBIDDEN_GLOBAL = re.compile(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL) ([\w.]{1,100})")
_CONTEXT_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "max_seq_length",
    "seq_length",
)


def engine_version() -> str:
    """Return the names and versions of the engine."""
    import torch
    import transformers

    return f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"


def load_config(path: str, trust_remote_code: bool) -> Any:
    """Read the configuration of a model directory.

    Raises:
        ModelLoadError: there is none, it is damaged, or no causal language model's.
    """
    from transformers import AutoConfig

    content = _read_config(Path(path))
    if not trust_remote_code:
        _check_known(content)
    try:
        config = AutoConfig.from_pretrained(
            path, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except Exception as error:
        raise _failure("config.json", error) from error
    _check_causal(content, config)
    return config


def _read_config(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ModelLoadError(f"No folder at {path}. Was it moved or deleted?")
    if not path.is_dir():
        raise ModelLoadError(f"{path.name} is not a folder with config.json and weights.")
    try:
        content = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelLoadError(f"The folder {path.name} has no config.json.") from None
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"config.json of {path.name} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ModelLoadError(f"config.json of {path.name} must be a JSON object.")
    return content


def _check_known(content: dict[str, Any]) -> None:
    from transformers import CONFIG_MAPPING

    if content.get("auto_map"):
        raise ModelLoadError(
            "The model needs Python code of its own (auto_map in config.json), which is not run. "
            "If you trust its author, set trust_remote_code for this model."
        )
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise ModelLoadError(
            f"The architecture {kind!r} of config.json is not known to {engine_version()}. "
            "A newer version of transformers may know it."
        )


def _check_causal(content: dict[str, Any], config: Any) -> None:
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    names = content.get("architectures") or []
    known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    own = "AutoModelForCausalLM" in (content.get("auto_map") or {})
    foreign = any(str(name).endswith(_NOT_CAUSAL) for name in names)
    if (known or own) and not foreign:
        return
    what = names[0] if names else config.model_type
    raise ModelLoadError(
        f"config.json says {what}, which is no causal language model: it does not continue a "
        "text. Choose a model made for chat or for text completion."
    )


def context_length(config: Any) -> int | None:
    """Return the longest context that a model was made for, in tokens; None where unknown."""
    text_config = config.get_text_config(decoder=True)
    for name in _CONTEXT_NAMES:
        value = getattr(text_config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def load_tokenizer(path: str, trust_remote_code: bool) -> Any:
    """Load the tokenizer of a model directory.

    Raises:
        ModelLoadError: it is missing or damaged.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            path, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except Exception as error:
        raise _tokenizer_failure(Path(path), error) from error


def _tokenizer_failure(path: Path, error: Exception) -> Exception:
    """Make a sentence for a tokenizer that cannot be loaded: which of its files is why."""
    if not any((path / name).exists() for name in _TOKENIZER_FILES):
        return ModelLoadError(
            f"The folder {path.name} has no tokenizer (such as tokenizer.json). "
            "Put the tokenizer files of the same model beside config.json."
        )
    for name in _TOKENIZER_FILES:
        if name.endswith(".json") and (path / name).exists():
            try:
                json.loads((path / name).read_bytes())
            except (OSError, ValueError, RecursionError) as damage:
                return ModelLoadError(
                    f"The tokenizer file {name} of {path.name} is damaged: {damage}. "
                    "Download it again."
                )
    return _failure("the tokenizer", error)


def load_weights(
    path: str,
    config: Any,
    *,
    device: Any,
    dtype: Any,
    trust_remote_code: bool,
    progress: JobProgress,
) -> Any:
    """Load a causal language model to a device, with every weight from its files.

    Args:
        path: the directory.
        config: what ``load_config`` returned.
        device: a ``torch.device``.
        dtype: a ``torch.dtype``, or ``auto`` for the checkpoint's.
        trust_remote_code: run Python code that comes with the model.
        progress: takes a step, how much of it is done, and its total.

    Raises:
        ModelLoadError: weights are missing, damaged, or do not fit the configuration.
    """
    weights = _weights_found(Path(path))
    arguments = {
        "config": config,
        "dtype": dtype,
        "local_files_only": True,
        "trust_remote_code": trust_remote_code,
        "use_safetensors": _use_safetensors(weights),
        "weights_only": True,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # so that they are named; _check_complete refuses them
    }
    place = placement.placement(device, placement.loaded_bytes(Path(path), config, dtype))
    pinned = placement.suits_pinned_memory(config, dtype, place)
    arguments |= placement.arguments_of(place, pinned)
    with load_reported(progress, placement.weight_bytes(Path(path))):
        model, info = _load_with_attention(path, arguments)
    _check_complete(info, model, Path(path).name)
    model.eval()
    if pinned:
        return pinned_memory.move(model, place.device, partial(progress, "weights to the GPU"))
    if place.most or model.device.type == device.type:
        return model
    return model.to(place.device)


def _load_with_attention(path: str, arguments: dict[str, Any]) -> Any:
    """Load with the fast attention, or with the plain one where a model lacks the fast one."""
    try:
        return _first_that_loads(path, arguments)
    except Exception as error:
        raise _failure(Path(path).name, error) from error


def _first_that_loads(path: str, arguments: dict[str, Any]) -> Any:
    """Return a model and what is told of its load; what fails with both fails as the first did."""
    from transformers import AutoModelForCausalLM

    load = partial(AutoModelForCausalLM.from_pretrained, path, **arguments)
    try:
        return load(attn_implementation=FAST_ATTENTION)
    except (ValueError, NotImplementedError) as error:
        try:
            return load(attn_implementation="eager")
        except Exception:
            raise error from None


def slow_attention(model: Any) -> list[str]:
    """Return a sentence where a model computes attention the plain way."""
    used = adapter.attention_of(model)
    if used in (None, FAST_ATTENTION):
        return []
    return [
        f"Attention is computed the plain way ({used}), which is slower and takes more memory in "
        f"long prompts: {engine_version()} has no faster one for this model."
    ]


def _use_safetensors(found: WeightFiles) -> bool | None:
    return True if found.names[:1] and is_safetensors_name(found.names[0]) else None


def _weights_found(path: Path) -> WeightFiles:
    """Return which files are read; refuse an index that names others than are in the folder."""
    found = weights_of(path, os.listdir(path))
    if found.problem:
        raise ModelLoadError(found.problem)
    return found


def _check_complete(info: dict[str, Any], model: Any, name: str) -> None:
    """Refuse a model some of whose weights are not from its files: they would be random."""
    untold = adapter.untold_of_loading(info)
    if untold:
        raise ModelLoadError(
            f"{engine_version()} does not say which weights of {name} were read ({untold}), so "
            "that random numbers could answer in place of them. Refused; use a version of "
            "transformers that this program was tested with."
        )
    missing = sorted(info["missing_keys"])
    if missing:
        total = max(len(missing), sum(1 for _ in model.parameters()))
        verb = "is" if len(missing) == 1 else "are"
        raise ModelLoadError(
            f"{len(missing)} of {total} weights of {name} {verb} missing from its files, the first "
            f"is {missing[0]}{_surplus(info)}. Not loaded, since its answers would be noise. "
            f"config.json says {model.config.model_type}: check that it belongs to these weights, "
            "or download the model again."
        )
    mismatched = sorted(map(_shapes, info["mismatched_keys"]))
    if mismatched:
        raise ModelLoadError(
            f"{len(mismatched)} weights of {name} have another shape than config.json says, the "
            f"first is {mismatched[0]}. Check that config.json belongs to these weights."
        )
    errors = info["error_msgs"]
    if errors:
        raise ModelLoadError(f"{name} cannot be loaded: {str(errors[0])[:300]}")


def _shapes(mismatch: Any) -> str:
    """Name a weight with the shape that it has and the one that it should have."""
    if not isinstance(mismatch, tuple) or len(mismatch) != 3:
        return str(mismatch)
    name, stored, expected = mismatch
    return f"{name} ({list(stored)} in place of {list(expected)})"


def _surplus(info: dict[str, Any]) -> str:
    """Tell what the files have in place of the missing weights, such as a training state."""
    surplus = sorted(map(str, info.get("unexpected_keys") or ()))
    if not surplus:
        return ""
    named = with_controls_shown(", ".join(key[:60] for key in surplus[:2]))
    training = any(key in _TRAINING or key.startswith(_TRAINING_PARTS) for key in surplus)
    kind = "It looks like a training checkpoint: it has" if training else "The files have"
    return f". {kind} {len(surplus)} others, such as {named}"


def _not_only_weights(what: str, text: str) -> ModelLoadError:
    """Make a sentence of a refusal of torch, whose own advises to turn the protection off."""
    if "TorchScript" in text:
        return ModelLoadError(
            f"Refused: a weight file of {what} is a TorchScript program; only weights are "
            "accepted. Convert it to safetensors."
        )
    found = _FORBIDDEN_GLOBAL.search(text)
    named = f" ({found[1]})" if found else ""
    return ModelLoadError(
        f"Refused: a weight file of {what} contains Python objects{named}, not only weights, or "
        "it is damaged. Nothing in it was run. Get the weights as safetensors."
    )


def _failure(what: str, error: Exception) -> Exception:
    """Make a sentence of an error of transformers; what other layers explain stays as it is."""
    kind, text = type(error).__name__, str(error).strip()
    if isinstance(error, (ModelLoadError, MemoryError)) or "out of memory" in text.lower():
        return error
    if kind == "UnpicklingError" or "weights_only" in text:
        return _not_only_weights(what, text)
    if kind == "SafetensorError":
        return ModelLoadError(
            f"A safetensors file of {what} is damaged or incomplete ({text}). Download it again."
        )
    if isinstance(error, ImportError):
        return ModelLoadError(f"Loading {what} needs a package that is missing: {text}")
    if "size mismatch" in text or "mismatched" in text:
        return ModelLoadError(
            f"Weights of {what} have another shape than config.json says. "
            "Check that config.json belongs to these weights."
        )
    reason = with_controls_shown(" ".join(text.split()))[:300].rstrip(".") or "no reason given"
    return ModelLoadError(
        f"{engine_version()} cannot load {what}: {kind}: {reason}. "
        "The files are incomplete or damaged, or need another version."
    )


def refuse_cache_type(settings: ModelConfig) -> None:
    """Refuse a number format of the cache that this engine does not have.

    Raises:
        ConfigurationError: it is not 16 bits.
    """
    if settings.kv_cache_type != "f16":
        raise ConfigurationError(
            f"kv_cache_type={settings.kv_cache_type} is for GGUF models alone. Set it to f16."
        )
