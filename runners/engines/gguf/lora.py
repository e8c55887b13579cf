"""LoRA adapters on a GGUF model, which llama.cpp adds to its weights while it computes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.core.lora import Adapter
from comparator.core.models import ModelType
from comparator.formats.adapter_files import read_adapter
from runners.engines.gguf import adapter, library

FUNCTIONS = {"llama_adapter_lora_init": 2, "llama_set_adapters_lora": 4}  # and their arguments


class LoadedAdapters:
    """Adapters that were read for a model; they are freed with it."""

    def __init__(self, llama: Any, model: Any, adapters: Sequence[Adapter]) -> None:
        """Read the files, before a context is made.

        Args:
            llama: the library.
            model: llama.cpp's model.
            adapters: which, and by how much they count.

        Raises:
            EngineMissingError: this llama.cpp has no adapters, or others than are known here.
            ModelLoadError: a file is no adapter, or not one of this model.
        """
        self._llama = llama
        self._scales = [one.scale for one in adapters]
        if adapters:
            _check_functions(llama)
        self._pointers = [_loaded(llama, model, Path(one.name)) for one in adapters]

    def set_on(self, context: Any) -> None:
        """Let a context compute with them.

        Raises:
            ModelLoadError: llama.cpp does not want to.
        """
        count = len(self._pointers)
        if not count:
            return
        function = self._llama.llama_set_adapters_lora
        pointers = (ctypes.c_void_p * count)(*self._pointers)
        wanted = (getattr(function, "argtypes", None) or [None, ctypes.c_void_p])[1]
        scales = (ctypes.c_float * count)(*self._scales)
        code = function(context, ctypes.cast(pointers, wanted), count, scales)
        if code != 0:
            raise ModelLoadError(f"llama.cpp cannot use the adapters (code {code}).")


def _check_functions(llama: Any) -> None:
    for name, count in FUNCTIONS.items():
        function = getattr(llama, name, None)
        if function is None:
            raise adapter.changed(f"it has no function {name}")
        declared = getattr(function, "argtypes", None)
        if declared is not None and len(declared) != count:
            raise adapter.changed(f"{name} takes {len(declared)} arguments, not {count}")


def _loaded(llama: Any, model: Any, path: Path) -> int | None:
    files = read_adapter(path)
    if files.kind is not ModelType.GGUF:
        raise ModelLoadError(
            f"The adapter {files.name} is for transformers folders. Convert it with llama.cpp's "
            "convert_lora_to_gguf.py."
        )
    library.forget_errors()
    pointer = llama.llama_adapter_lora_init(model, os.fsencode(path))
    if not pointer:
        raise library.adapter_failure(files.name)
    return ctypes.cast(pointer, ctypes.c_void_p).value
