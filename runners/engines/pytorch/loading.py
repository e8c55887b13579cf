"""Loads a transformers directory: its weights whole and its own, or a sentence why not."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.core.text import with_controls_shown
from runners.engines.pytorch import pinned_memory, placement

Progress = Callable[[str, float, float], None]

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
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if content.get("auto_map"):
        raise ModelLoadError(
            "The model needs Python code of its own (auto_map in config.json), which is not run. "
            "If you trust its author, set trust_remote_code for this model."
        )
    kind = content.get("model_type")
    if kind not in CONFIG_MAPPING_NAMES:
        raise ModelLoadError(
            f"The architecture {kind!r} of config.json is not known to {engine_version()}. "
            "A newer version of transformers may know it."
        )


def _check_causal(content: dict[str, Any], config: Any) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    names = content.get("architectures") or []
    known = config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
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
    progress: Progress,
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
    arguments = {
        "config": config,
        "dtype": dtype,
        "local_files_only": True,
        "trust_remote_code": trust_remote_code,
        "use_safetensors": _use_safetensors(Path(path)),
        "weights_only": True,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # so that they are named; _check_complete refuses them
    }
    place = placement.placement(device, placement.weight_bytes(Path(path)))
    pinned = placement.suits_pinned_memory(config, dtype, place)
    arguments |= placement.arguments_of(place, pinned)
    _check_shards(Path(path))
    with bars_reported(progress):
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
    from transformers import AutoModelForCausalLM

    try:
        try:
            return AutoModelForCausalLM.from_pretrained(
                path, attn_implementation="sdpa", **arguments
            )
        except ValueError as error:
            if "scaled_dot_product_attention" not in str(error):
                raise
            return AutoModelForCausalLM.from_pretrained(
                path, attn_implementation="eager", **arguments
            )
    except Exception as error:
        raise _failure(Path(path).name, error) from error


def _use_safetensors(path: Path) -> bool | None:
    return True if any(path.glob("*.safetensors")) else None


def _check_shards(path: Path) -> None:
    """Refuse an index that names a file outside the folder or one that is missing."""
    for index in path.glob("*.index.json"):
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelLoadError(f"{index.name} is damaged: download it again.") from error
        for name in sorted(map(str, names)):
            if name != os.path.basename(name) or name in ("", ".", ".."):
                raise ModelLoadError(f"{index.name} names {name!r}, outside the folder; refused.")
            if not (path / name).is_file():
                raise ModelLoadError(f"The weight file {name} is missing. Download it again.")


def _check_complete(info: dict[str, Any], model: Any, name: str) -> None:
    """Refuse a model some of whose weights are not from its files: they would be random."""
    missing = sorted(info.get("missing_keys") or ())
    if missing:
        total = max(len(missing), sum(1 for _ in model.parameters()))
        verb = "is" if len(missing) == 1 else "are"
        raise ModelLoadError(
            f"{len(missing)} of {total} weights of {name} {verb} missing from its files, the first "
            f"is {missing[0]}{_surplus(info)}. Not loaded, since its answers would be noise. "
            f"config.json says {model.config.model_type}: check that it belongs to these weights, "
            "or download the model again."
        )
    mismatched = sorted(map(_shapes, info.get("mismatched_keys") or ()))
    if mismatched:
        raise ModelLoadError(
            f"{len(mismatched)} weights of {name} have another shape than config.json says, the "
            f"first is {mismatched[0]}. Check that config.json belongs to these weights."
        )
    errors = info.get("error_msgs") or ()
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


@contextlib.contextmanager
def bars_reported(progress: Progress) -> Iterator[None]:
    """Report the progress bar of transformers' loader while the body runs."""
    from transformers.utils import logging

    if not hasattr(logging, "set_tqdm_hook"):
        yield
        return

    def make_bar(_factory: Any, arguments: Any, options: Any) -> _Bar:
        items = arguments[0] if arguments else options.get("iterable")
        return _Bar(items, options.get("total"), progress)

    before = logging.set_tqdm_hook(make_bar)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


class _Bar:
    """Stands in for a progress bar and reports at most twenty times."""

    def __init__(self, items: Any, total: int | None, progress: Progress) -> None:
        self._items = items
        self._total = total or (len(items) if hasattr(items, "__len__") else 0)
        self._done = self._told = 0
        self._progress = progress

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_options: None

    def update(self, count: float = 1) -> None:
        """Take that more was done."""
        self._done += int(count)
        is_last = self._done == self._total
        if self._total and (is_last or (self._done - self._told) * 20 >= self._total):
            self._told = self._done
            self._progress("weights", min(self._done, self._total), self._total)


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
