"""Makes a transformers directory of a GGUF file, in a child process of its own.

The job writes to a target that does not exist yet; its caller renames it into place when the job
is done, so that no half-made model is ever listed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.formats.checks import check_gguf_file
from runners.engines.pytorch import adapter
from runners.engines.pytorch.loading import engine_version
from runners.engines.pytorch.progress import load_reported
from runners.machine.cores import thread_count
from runners.protocol import JobProgress


def dequantize(
    arguments: dict[str, Any], report: JobProgress, should_stop: Callable[[], bool]
) -> None:
    """Make a transformers directory (bfloat16 safetensors) of a GGUF file's weights.

    Args:
        arguments: ``source``, a GGUF file, and ``target``, a directory that does not exist.
        report: takes a step, how much of it is done, and its total.
        should_stop: asked between the steps.

    Raises:
        ModelLoadError: the source cannot be read, or the job was stopped.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, target = Path(arguments["source"]), Path(arguments["target"])
    check_gguf_file(Path(source))
    torch.set_num_threads(thread_count(arguments.get("n_threads")))
    place = {"gguf_file": source.name, "local_files_only": True}
    report("read tokenizer", 0, 3)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, **place)
    _refuse_stopped(should_stop)
    report("read weights", 1, 3)
    with load_reported(report, source.stat().st_size):
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, dtype=torch.bfloat16, **adapter.whole_numbers_of_gguf(), **place
        )
    _check_whole(model, source.name)
    _refuse_stopped(should_stop)
    report("write", 2, 3)
    _set_end_tokens(model, tokenizer)
    model.save_pretrained(target)
    tokenizer.init_kwargs.pop("local_files_only", None)  # how it was read is no part of it
    tokenizer.save_pretrained(target)
    report("write", 3, 3)


def _check_whole(model: Any, name: str) -> None:
    """Refuse weights that stayed in their blocks, or in another number type than was asked for."""
    import torch

    packed = getattr(model.config, "quantization_config", None) is not None
    if packed or any(weight.dtype is not torch.bfloat16 for weight in model.parameters()):
        raise ModelLoadError(
            f"{engine_version()} did not turn the weights of {name} into bfloat16. "
            "Use a version of transformers that this program was tested with."
        )


def _set_end_tokens(model: Any, tokenizer: Any) -> None:
    """Write the tokenizer's special tokens where ``generate`` of transformers looks for them."""
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        token = getattr(tokenizer, name, None)
        if token is not None:
            setattr(model.generation_config, name, token)
            setattr(model.config, name, token)


def _refuse_stopped(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise ModelLoadError("The job was stopped.")
