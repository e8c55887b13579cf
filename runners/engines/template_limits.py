"""Limits around a chat template: it is a program, and it came with a model.

Jinja's sandbox refuses attribute tricks but neither endless loops nor huge texts. Both engines
render inside these limits. Jinja's loops are Python, so that a signal can end them; what C code
allocates for a template is bounded by RLIMIT_DATA, which a process may lower and raise again.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from comparator.core.exceptions import InferenceError
from comparator.core.units import fine_size
from runners.protocol import LINE_LIMIT_BYTES

LONGEST_SECONDS = 10.0
MOST_BYTES = 512 * 1024 * 1024
LONGEST_TEXT_BYTES = LINE_LIMIT_BYTES - 64 * 1024  # as JSON: what one message can carry
_AGAIN_SECONDS = 0.5

Result = TypeVar("Result")
_ADVICE = "Set prompt_format to plain, or use a newer copy of the model."


class _TimeIsUp(BaseException):
    """No Exception, so that nothing in a template's way swallows it."""


def within_limits(work: Callable[[], Result], most_seconds: float | None = None) -> Result:
    """Do what a chat template asks for, for a bounded time and with bounded memory.

    The time is bounded in the main thread, where a model process renders; the memory on Linux.

    Args:
        work: renders or compiles a template.
        most_seconds: how long it may take; ``LONGEST_SECONDS`` by default.

    Raises:
        InferenceError: a limit was reached.
    """
    seconds = LONGEST_SECONDS if most_seconds is None else most_seconds
    try:
        with _bounded_time(seconds), _bounded_memory(MOST_BYTES):
            return work()
    except _TimeIsUp:
        raise InferenceError(
            f"The model's chat template ran longer than {seconds:g} s and was stopped: "
            f"it loops without end, or it was made to. {_ADVICE}"
        ) from None
    except MemoryError:
        raise InferenceError(
            f"The model's chat template used too much memory (over {fine_size(MOST_BYTES)}) and "
            f"was stopped. {_ADVICE}"
        ) from None


def check_length(text: str) -> str:
    """Return a rendered prompt.

    Raises:
        InferenceError: it is longer than any prompt, as only a hostile template makes it.
    """
    size = len(msgspec.json.encode(text))
    if size > LONGEST_TEXT_BYTES:
        raise InferenceError(
            f"The model's chat template makes a prompt of {size} bytes; the limit is "
            f"{LONGEST_TEXT_BYTES}. {_ADVICE}"
        )
    return text


@contextlib.contextmanager
def _bounded_time(seconds: float) -> Iterator[None]:
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _time_is_up(_number: int, _frame: Any) -> None:
    raise _TimeIsUp


@contextlib.contextmanager
def _bounded_memory(size: int) -> Iterator[None]:
    """Bound the private writable memory that may be added; mapped files do not count."""
    held = _data_bytes()
    if held is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard, held + size) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int | None:
    """Return what counts for RLIMIT_DATA; None where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmData:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
