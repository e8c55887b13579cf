"""Makes model files of other model files; each job runs in a child process of its own.

A job writes to a target that does not exist yet; its caller renames it into place when the
job is done, so that no half-made model is ever listed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ConfigurationError, ModelLoadError
from runners import gguf_library
from runners.devices import thread_count
from runners.torch_loading import bars_reported

Report = Callable[[str, float, float], None]

_POLL_SECONDS = 0.1


def dequantize(arguments: dict[str, Any], report: Report, should_stop: Callable[[], bool]) -> None:
    """Make a transformers directory (bfloat16 safetensors) of a GGUF file's weights.

    Args:
        arguments: ``source``, a GGUF file, and ``target``, a directory that does not exist.
        report: takes a step, how much of it is done, and its total.
        should_stop: asked between the steps.

    Raises:
        ModelLoadError: the source cannot be read, or the job was stopped.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source, target = Path(arguments["source"]), Path(arguments["target"])
    gguf_library.check_file(str(source))
    torch.set_num_threads(thread_count(arguments))
    place = {"gguf_file": source.name, "local_files_only": True}
    report("read tokenizer", 0, 3)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, **place)
    _refuse_stopped(should_stop)
    report("read weights", 1, 3)
    with bars_reported(report):
        model = AutoModelForCausalLM.from_pretrained(
            source.parent,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            **place,
        )
    _refuse_stopped(should_stop)
    report("write", 2, 3)
    _set_end_tokens(model, tokenizer)
    model.save_pretrained(target)
    tokenizer.init_kwargs.pop("local_files_only", None)  # how it was read is no part of it
    tokenizer.save_pretrained(target)
    _let_others_read(target)
    report("write", 3, 3)


def _set_end_tokens(model: Any, tokenizer: Any) -> None:
    """Write the tokenizer's special tokens where ``generate`` of transformers looks for them."""
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        token = getattr(tokenizer, name, None)
        if token is not None:
            setattr(model.generation_config, name, token)
            setattr(model.config, name, token)


def _let_others_read(target: Path) -> None:
    """Undo that safetensors makes its files private, other than all files beside them."""
    for file in target.glob("*.safetensors"):
        file.chmod((target / "config.json").stat().st_mode)


def quantize(arguments: dict[str, Any], report: Report, should_stop: Callable[[], bool]) -> None:
    """Make a GGUF file of another quantisation, also of one that is quantised already.

    Args:
        arguments: ``source`` and ``target``, GGUF files, and ``type``, such as ``Q8_0``.
        report: takes a step, the bytes written so far, and the bytes expected at the most.
        should_stop: asked before the work, which cannot be interrupted from inside.

    Raises:
        ConfigurationError: llama.cpp has no quantisation of that name.
        ModelLoadError: llama.cpp cannot read the source or write the target.
    """
    source, target = str(arguments["source"]), str(arguments["target"])
    gguf_library.check_file(source)
    llama = gguf_library.library()
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = _file_type(llama, str(arguments["type"]))
    parameters.allow_requantize = True
    parameters.nthread = thread_count(arguments)
    _refuse_stopped(should_stop)
    gguf_library.forget_errors()
    with _growth_reported(Path(target), 2 * os.path.getsize(source), report):
        code = llama.llama_model_quantize(
            os.fsencode(source), os.fsencode(target), ctypes.byref(parameters)
        )
    if code != 0:
        raise gguf_library.load_failure(os.path.basename(source))


def _file_type(llama: Any, name: str) -> int:
    """Return llama.cpp's number of a quantisation's name."""
    types: dict[str, int] = {
        key.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_"): value
        for key, value in vars(llama).items()
        if key.startswith("LLAMA_FTYPE_") and not key.endswith("GUESSED")
    }
    if name.upper() not in types:
        raise ConfigurationError(
            f"llama.cpp has no quantisation {name!r}. There are: {', '.join(sorted(types))}."
        )
    return types[name.upper()]


@contextlib.contextmanager
def _growth_reported(target: Path, expected: int, report: Report) -> Iterator[None]:
    """Report the growing size of a file while the body runs, from a thread of its own."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            with contextlib.suppress(FileNotFoundError):
                report("quantize", min(target.stat().st_size, expected), expected)

    watcher = threading.Thread(target=watch, name="growth of a file", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    report("quantize", expected, expected)


def _refuse_stopped(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise ModelLoadError("The job was stopped.")
