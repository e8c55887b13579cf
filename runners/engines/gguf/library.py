"""llama.cpp as a library: where its log goes, and why it refused a model.

Everything that llama.cpp prints goes to descriptor 2, which the parent keeps as evidence.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar

from comparator.core.exceptions import EngineMissingError, ModelLoadError
from comparator.formats import gguf_kinds
from runners.engines.gguf import adapter, binaries, xllamacpp_library


@functools.cache
def library() -> Any:
    """Import llama-cpp-python, check it, and send its log to descriptor 2.

    Raises:
        EngineMissingError: it is not installed, or its binary is damaged, for another system, or
            of a version that is not known here.
    """
    binaries.check_folder("llama_cpp", "lib", os.environ.get("LLAMA_CPP_LIB_PATH"))
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise binaries.unusable("llama_cpp", str(error)) from error
    made = adapter.Llama(llama_cpp, xllamacpp_library.FUNCTIONS)
    _Log.install(made)
    return made


def warm_up() -> None:
    """Import llama-cpp-python in a fork server, which must outlive one that is damaged."""
    with contextlib.suppress(EngineMissingError):  # the child meets the same and tells it
        library()


@functools.cache
def prebuilt() -> Any:
    """Bind llama.cpp's functions in the package xllamacpp, under the names of ``library``.

    Raises:
        EngineMissingError: it is not installed, or has another layout than is known here.
    """
    bound = xllamacpp_library.bind()
    _Log.install(bound)
    return bound


def of_name(name: str) -> Any:
    """Return the library that is called ``llama_cpp`` or ``xllamacpp``.

    Raises:
        EngineMissingError: it is not installed, or cannot be used here.
    """
    return prebuilt() if name == xllamacpp_library.PACKAGE else library()


def version(llama: Any = None) -> str:
    """Return the name and version of the engine; of llama-cpp-python where none is given."""
    llama = llama or library()
    package = "llama-cpp-python" if llama.__name__ == "llama_cpp" else llama.__name__
    return f"llama.cpp ({package} {llama.__version__})"


class _Log:
    """Keeps the error lines of llama.cpp's log and passes everything but debug lines on."""

    errors: ClassVar[deque[str]] = deque(maxlen=50)
    kept: ClassVar[list[str] | None] = None
    quiet = False
    # llama.cpp keeps a pointer to each, so they must never be freed
    _callbacks: ClassVar[dict[str, Any]] = {}
    _level = 0

    @classmethod
    def install(cls, llama: Any) -> None:
        if llama.__name__ not in cls._callbacks:
            callback = cls._callbacks[llama.__name__] = llama.llama_log_callback(cls._take)
            llama.llama_log_set(callback, None)

    @classmethod
    def _take(cls, level: int, text: bytes, _data: Any) -> None:
        if level != adapter.CONTINUED:
            cls._level = level
        if cls.kept is not None:
            cls.kept.append(text.decode("utf-8", "replace"))
        if cls._level == adapter.ERROR:
            cls.errors.append(text.decode("utf-8", "replace").strip())
        if cls._level != adapter.DEBUG and not (cls.quiet and cls._level != adapter.ERROR):
            with contextlib.suppress(OSError):
                os.write(2, text)


def forget_errors() -> None:
    """Start a new list of error lines."""
    _Log.errors.clear()


@contextlib.contextmanager
def log_kept(quiet: bool = False) -> Iterator[list[str]]:
    """Yield a list that receives every piece of text that llama.cpp logs during the body.

    Args:
        quiet: only errors go to descriptor 2 as well.
    """
    pieces: list[str] = []
    _Log.kept, _Log.quiet = pieces, quiet
    try:
        yield pieces
    finally:
        _Log.kept, _Log.quiet = None, False


def load_failure(name: str, llama: Any = None) -> ModelLoadError:
    """Make an error of the lines that llama.cpp logged since ``forget_errors``."""
    lines = list(_Log.errors)
    for line in lines:
        found = adapter.UNKNOWN_ARCHITECTURE.search(line)
        if found:
            own = gguf_kinds.of_architecture(found.group(1))
            if own:
                return ModelLoadError(f"{name} is made for another program. {own}")
            return ModelLoadError(
                f"The architecture '{found.group(1)}' of {name} is not known to {version(llama)}. "
                "A newer version may know it."
            )
        made_for = _made_for(line, llama)
        if made_for:
            return ModelLoadError(f"llama.cpp cannot load {name}: {made_for}")
    reasons = [found.group(1) for line in lines if (found := adapter.LOAD_REASON.search(line))]
    reason = reasons[0] if reasons else (lines[-1] if lines else "no reason was given")
    return ModelLoadError(
        f"llama.cpp cannot load {name}: {reason.rstrip('.')}. "
        "The file is incomplete, damaged or not meant for this engine: download it again."
    )


def _made_for(line: str, llama: Any) -> str | None:
    """Return for which program a file is, where a line of the log shows it."""
    found = adapter.UNKNOWN_TYPE.search(line)
    if found:
        return gguf_kinds.of_type(int(found.group(1))) or (
            f"its weights are of a type that {version(llama)} does not know (number "
            f"{found.group(1)}). "
            "A newer version may know it, or the file is made for another program."
        )
    found = adapter.MORE_TENSORS.search(line)
    if found and int(found.group(2)) > int(found.group(1)):
        return (
            f"it has {found.group(2)} tensors where its architecture has {found.group(1)}. Files "
            "that Ollama's own engine runs hold the part for images too; download the GGUF made "
            "for llama.cpp, or run it with Ollama."
        )
    return None


def context_failure(name: str, context: int) -> ModelLoadError:
    """Make an error for a context that could not be created."""
    lines = list(_Log.errors)
    reason = f" ({lines[-1]})" if lines else ""
    return ModelLoadError(
        f"{name} could not get a context of {context} tokens{reason}. "
        "Most likely there is not enough memory: choose a smaller context (n_ctx) or model."
    )


def adapter_failure(name: str) -> ModelLoadError:
    """Make an error for an adapter that llama.cpp refused, of the lines that it logged."""
    lines = list(_Log.errors)
    found = (adapter.REFUSED_ADAPTER.search(line) for line in lines)
    reason = next((match[1] for match in found if match), lines[-1] if lines else "no reason given")
    return ModelLoadError(
        f"llama.cpp cannot use the adapter {name}: {reason.rstrip('.')}. Choose the model that it "
        "was made for, or download it again."
    )


def cache_failure(name: str, cache_type: str) -> ModelLoadError:
    """Make an error for a context whose KV cache was to have other numbers than usual."""
    lines = list(_Log.errors)
    reason = f" ({lines[-1]})" if lines else ""
    return ModelLoadError(
        f"{name} could not keep its KV cache as {cache_type}{reason}. Set kv_cache_type to f16, "
        "or choose a smaller context (n_ctx) if memory ran out."
    )
