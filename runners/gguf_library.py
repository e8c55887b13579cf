"""llama.cpp as a library: where its log goes, and why it refused a model.

Everything that llama.cpp prints goes to descriptor 2, which the parent keeps as evidence.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from typing import Any, ClassVar

from comparator.core.exceptions import ModelLoadError

_DEBUG, _ERROR, _CONTINUED = 1, 4, 5  # ggml.h: enum ggml_log_level
_UNKNOWN_ARCHITECTURE = re.compile(r"unknown model architecture: '([^']*)'")
_REASON = re.compile(r"(?:error loading model(?: \w+)?|failed to load model): (.+)")
_BEGINNINGS = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the model. Run git lfs pull."),
    (b"<!doctype", "is a web page, not a model. Download the file itself."),
    (b"<html", "is a web page, not a model. Download the file itself."),
)


def library() -> Any:
    """Import llama-cpp-python and send its log to descriptor 2."""
    import llama_cpp

    _Log.install(llama_cpp)
    return llama_cpp


def version() -> str:
    """Return the name and version of the engine."""
    import llama_cpp

    return f"llama.cpp (llama-cpp-python {llama_cpp.__version__})"


class _Log:
    """Keeps the error lines of llama.cpp's log and passes everything but debug lines on."""

    errors: ClassVar[deque[str]] = deque(maxlen=50)
    _callback: Any = None  # llama.cpp keeps a pointer to it, so it must never be freed
    _level = 0

    @classmethod
    def install(cls, llama_cpp: Any) -> None:
        if cls._callback is None:
            cls._callback = llama_cpp.llama_log_callback(cls._take)
            llama_cpp.llama_log_set(cls._callback, None)

    @classmethod
    def _take(cls, level: int, text: bytes, _data: Any) -> None:
        if level != _CONTINUED:
            cls._level = level
        if cls._level == _ERROR:
            cls.errors.append(text.decode("utf-8", "replace").strip())
        if cls._level != _DEBUG:
            with contextlib.suppress(OSError):
                os.write(2, text)


def forget_errors() -> None:
    """Start a new list of error lines."""
    _Log.errors.clear()


def load_failure(name: str) -> ModelLoadError:
    """Make an error of the lines that llama.cpp logged since ``forget_errors``."""
    lines = list(_Log.errors)
    for line in lines:
        found = _UNKNOWN_ARCHITECTURE.search(line)
        if found:
            return ModelLoadError(
                f"The architecture '{found.group(1)}' of {name} is not known to {version()}. "
                "A newer version may know it."
            )
    reasons = [found.group(1) for line in lines if (found := _REASON.search(line))]
    reason = reasons[0] if reasons else (lines[-1] if lines else "no reason was given")
    return ModelLoadError(
        f"llama.cpp cannot load {name}: {reason.rstrip('.')}. "
        "The file is incomplete, damaged or not meant for this engine: download it again."
    )


def context_failure(name: str, context: int) -> ModelLoadError:
    """Make an error for a context that could not be created."""
    lines = list(_Log.errors)
    reason = f" ({lines[-1]})" if lines else ""
    return ModelLoadError(
        f"{name} could not get a context of {context} tokens{reason}. "
        "Most likely there is not enough memory: choose a smaller context (n_ctx) or model."
    )


def check_file(path: str) -> None:
    """Refuse what is no GGUF file before C code reads it.

    Raises:
        ModelLoadError: what the path is instead.
    """
    name = os.path.basename(path.rstrip("/")) or path
    if not os.path.exists(path):
        raise ModelLoadError(f"No file at {path}. Was it moved or deleted?")
    if os.path.isdir(path):
        raise ModelLoadError(f"{name} is a folder, not a GGUF file.")
    if not os.path.isfile(path):
        raise ModelLoadError(f"{name} is not a regular file.")
    _check_beginning(path, name)


def _check_beginning(path: str, name: str) -> None:
    try:
        with open(path, "rb") as file:
            start = file.read(64)
    except OSError as error:
        raise ModelLoadError(f"Cannot read {path}: {error.strerror or error}.") from error
    if not start:
        raise ModelLoadError(f"{name} is empty (0 bytes). Download it again.")
    for beginning, words in _BEGINNINGS:
        if start.lstrip().lower().startswith(beginning):
            raise ModelLoadError(f"{name} {words}")
    if not start.startswith(b"GGUF"):
        raise ModelLoadError(f"{name} is not a GGUF file: it starts with {start[:4]!r}.")
