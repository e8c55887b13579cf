"""Turning the way in which a child ended into a sentence: what, why, and what to do next."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from comparator.core.units import fine_size

CRASHED, OUT_OF_MEMORY = "crashed", "out_of_memory"

_TELLING = re.compile(
    r"GGML_ASSERT|GGML_ABORT|CUDA error|out of memory|error loading model|Illegal instruction"
    r"|failed to|unable to allocate|Fatal Python error|terminate called|what\(\):",
    re.IGNORECASE,
)
_NO_MEMORY = re.compile(
    r"std::bad_alloc|failed to allocate|unable to allocate|can(?:'t|not) allocate memory"
    r"|out of memory|OutOfMemoryError",
    re.IGNORECASE,
)
_ON_DEVICE = re.compile(r"\b(?:CUDA|HIP|ROCm|Vulkan|Metal|MPS|SYCL|XPU|GPU)", re.IGNORECASE)
_STACK_FRAME = re.compile(r"\[0x[0-9a-f]+\]$")  # ggml prints its stack after the assertion
_BUILD_PLACE = re.compile(r"^/\S*/(?=[^/\s]+:\d+: )")  # the folder in which the engine was built
_LOW_SHARE = 0.1

SMALLER = "Choose a smaller quantisation or a smaller context (n_ctx)."
SMALLER_ON_DEVICE = (
    "Turn the GPU off (use_gpu) or give it fewer layers (n_gpu_layers), "
    "or choose a smaller quantisation or context (n_ctx)."
)
ZYGOTE_DIED = (
    "The process that starts the models of this engine ended, and this model with it: "
    "someone killed it or memory ran out. The next run starts a new one."
)

_CAUSES = {
    "SIGKILL": "someone or something killed it",
    "SIGSEGV": "the engine read memory that it does not own: a damaged file or a bug in the engine",
    "SIGABRT": "the engine gave up on an inconsistency: most likely the file is invalid",
    "SIGILL": "the engine was built for a processor with other instructions: reinstall it here",
    "SIGBUS": "a mapped file became shorter while it was read, or the disk failed",
    "SIGFPE": "the engine divided by zero: most likely the file is invalid",
    "SIGTERM": "something asked it to end",
    "SIGXCPU": "it used more processor time than it may",
    "SIGXFSZ": "it wrote a larger file than a model may",
    "SIGSYS": "it asked the system for something that a model may not do: the file may be hostile",
}

_NATIVE_SIGNALS = ("SIGSEGV", "SIGILL", "SIGBUS", "SIGABRT", "SIGTRAP", "SIGFPE")
_NATIVE_STATUS = {
    0xC0000005: "an access violation",
    0xC000001D: "an illegal instruction",
    0xC0000374: "a damaged heap",
    0xC0000409: "an abort",
}


@dataclass(frozen=True)
class Evidence:
    """What is known of a child that ended without a final message; sizes in bytes.

    Attributes:
        exit_code: negative for a signal; None when the parent ended it for its closed channel.
        log_tail: the last lines that it printed.
        available_bytes: the least memory that was available while it ran.
        total_bytes: the memory of the machine or of its container.
        peak_bytes: the most that the child was seen to hold.
        needed_bytes: what it was expected to need, 0 where nobody knows.
        limit_bytes: the ceiling that it ran under, 0 for none.
        killed_for_memory: whether the system counted a kill for memory meanwhile.
    """

    exit_code: int | None
    log_tail: str = ""
    available_bytes: int = 0
    total_bytes: int = 0
    peak_bytes: int = 0
    needed_bytes: int = 0
    limit_bytes: int = 0
    killed_for_memory: bool = False


def signal_name(exit_code: int) -> str | None:
    """Return the name of the signal in a negative exit code."""
    if exit_code >= 0:
        return None
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


def native_death(exit_code: int | None) -> str | None:
    """Return by which signal compiled code ended its process; None for any other end.

    On Windows the system's status takes the place of a signal (ntstatus.h).
    """
    if exit_code is None:
        return None
    if exit_code >= 0:
        return _NATIVE_STATUS.get(exit_code & 0xFFFFFFFF)
    name = signal_name(exit_code)
    return name if name in _NATIVE_SIGNALS else None


def judge(evidence: Evidence) -> tuple[str, str]:
    """Return the error_kind and one or two sentences on how the child ended."""
    if evidence.exit_code is None:
        return CRASHED, "The model process closed its channel without an answer and was ended."
    name = signal_name(evidence.exit_code)
    if name == "SIGKILL" and _memory_was_low(evidence):
        return OUT_OF_MEMORY, _killed_for_memory(evidence)
    line = memory_line(evidence.log_tail)
    if line:
        ended = f"was ended by {name}" if name else f"exited with code {evidence.exit_code}"
        return OUT_OF_MEMORY, _ran_out(f"The model process {ended}", line, evidence)
    said = _said(evidence.log_tail)
    if name is None:
        code = evidence.exit_code
        return CRASHED, f"The model process exited with code {code} before it had finished.{said}"
    likely = _CAUSES.get(name, "the reason is not known")
    return CRASHED, f"The model process was ended by {name}; {likely}.{said}"


def reconsidered(kind: str, sentence: str, evidence: Evidence) -> tuple[str, str]:
    """Return an error that a child told, as one of memory where its log says that it was."""
    line = memory_line(evidence.log_tail) if kind in ("load", "inference") else ""
    if not line:
        return kind, sentence
    on_device = bool(_ON_DEVICE.search(line))
    what = "Not enough memory on the GPU" if on_device else "Not enough memory"
    advice = SMALLER_ON_DEVICE if on_device else SMALLER
    told = "" if advice in sentence else f" {advice}"
    return OUT_OF_MEMORY, f"{what}{_numbers(evidence, on_device)}. {sentence}{told}"


def _memory_was_low(evidence: Evidence) -> bool:
    low = evidence.available_bytes < evidence.total_bytes * _LOW_SHARE
    return low or evidence.killed_for_memory


def _killed_for_memory(evidence: Evidence) -> str:
    sure = "" if evidence.killed_for_memory else ", most likely"
    needed = f"it needs about {fine_size(evidence.needed_bytes)}, " * bool(evidence.needed_bytes)
    held = f"it held {fine_size(evidence.peak_bytes)} and " * bool(evidence.peak_bytes)
    left, total = fine_size(evidence.available_bytes), fine_size(evidence.total_bytes)
    return (
        f"The model process was killed (SIGKILL){sure} by the system's memory killer: "
        f"{needed}{held}at the last look {left} of {total} was left. {SMALLER}"
    )


def _ran_out(ended: str, line: str, evidence: Evidence) -> str:
    on_device = bool(_ON_DEVICE.search(line))
    where = "the GPU's memory" if on_device else "memory"
    advice = SMALLER_ON_DEVICE if on_device else SMALLER
    numbers = _numbers(evidence, on_device)
    return f"{ended} since {where} ran out{numbers}. Its last words: {line}. {advice}"


def _numbers(evidence: Evidence, on_device: bool) -> str:
    """Say need and supply of the host's memory; a device's are not known here."""
    if on_device or not evidence.needed_bytes:
        return ""
    free = min(evidence.available_bytes, evidence.limit_bytes or evidence.available_bytes)
    needed = fine_size(evidence.needed_bytes)
    return f": it needs about {needed}, and {fine_size(free)} was available"


def memory_line(log_tail: str) -> str:
    """Return the last line of a log that says that memory ran out, or an empty text."""
    return _last(_NO_MEMORY, log_tail)


def telling_line(log_tail: str) -> str:
    """Return the line of a log that says most, or an empty text."""
    return _last(_TELLING, log_tail)


def _said(log_tail: str) -> str:
    line = telling_line(log_tail)
    return f" Its last words: {line.rstrip('.')}." if line else ""


def _last(pattern: re.Pattern[str], log_tail: str) -> str:
    lines = [_BUILD_PLACE.sub("", line.strip()) for line in log_tail.splitlines()]
    lines = [line for line in lines if not _STACK_FRAME.search(line)]
    return ([line for line in lines if pattern.search(line)] or [""])[-1][:300]
