"""The child's errors in words for people: what happened, the likely cause, what to do."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from comparator.core import exceptions
from comparator.core.text import without_surrogates
from comparator.core.units import fine_size
from runners import exit_diagnosis, protocol
from runners.child import memory_limit
from runners.machine import memory

_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (exceptions.PromptTooLongError, "refused"),
    (exceptions.MessageLostError, "refused"),
    (exceptions.ModelLoadError, "load"),
    (exceptions.ModelNotFoundError, "load"),
    (exceptions.ConfigurationError, "configuration"),
    (exceptions.InferenceError, "inference"),
)
_DEVICES = ("cuda", "hip ", "rocm", "mps backend", "xpu", "vulkan")
_LONGEST_TRACE = 20_000


def failure(
    error: BaseException, stage: str, assignment: protocol.Assignment | None = None
) -> protocol.Failed:
    """Tell an error as data, with the traceback as evidence."""
    memory_limit.lift()
    kind, message = explain(error, stage, assignment)
    trace = "".join(traceback.format_exception(error))
    return protocol.Failed(
        stage,
        kind,
        without_surrogates(message),
        without_surrogates(trace[-_LONGEST_TRACE:]),
        memory.private_bytes(),
    )


def explain(
    error: BaseException, stage: str, assignment: protocol.Assignment | None = None
) -> tuple[str, str]:
    """Return the error_kind and the sentence for an error of a stage."""
    for cause in _chain(error):
        if is_out_of_memory(cause):
            return exit_diagnosis.OUT_OF_MEMORY, _no_memory(cause, assignment)
    text = str(error).strip()
    for family, kind in _KINDS:
        if isinstance(error, family):
            return kind, text or type(error).__name__
    if isinstance(error, SystemExit):
        return "crashed", f"The model's code asked its process to exit (code {error.code})."
    words = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        words += f". Install what is missing, such as with: pip install {error.name.split('.')[0]}"
    if stage in ("start", "load"):
        return "load", f"The model could not be loaded: {words}."
    return "inference", f"The model failed while it answered: {words}."


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on the host or on a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, (RuntimeError, OSError)) and bool(
        exit_diagnosis.memory_line(str(error))
    )


def is_of_device(error: BaseException) -> bool:
    """Tell whether it was the accelerator's memory that ran out."""
    text = str(error).lower()
    return any(name in text for name in _DEVICES)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from; a refusal in our own words speaks for itself."""
    yield error
    if isinstance(error, exceptions.ModelLoadError):
        seen, cause = {id(error)}, error.__cause__
        while cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            cause = cause.__cause__


def _no_memory(error: BaseException, assignment: protocol.Assignment | None) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
    if is_of_device(error):
        return f"Not enough memory on the GPU ({said}). {exit_diagnosis.SMALLER_ON_DEVICE}"
    return f"Not enough memory{_numbers(assignment)} ({said}). {exit_diagnosis.SMALLER}"


def _numbers(assignment: protocol.Assignment | None) -> str:
    if assignment is None or not assignment.memory_limit_bytes:
        return ""
    available = fine_size(assignment.memory_limit_bytes)
    held = fine_size(memory.private_bytes())
    needed = assignment.needed_bytes
    wants = f"it needs about {fine_size(needed)}, " * bool(needed)
    return f": {wants}{available} was available and it held {held}"
