"""Turning the way in which a child ended into a sentence: what, why, and what to do next."""

from __future__ import annotations

import re
import signal

_TELLING = re.compile(
    r"GGML_ASSERT|GGML_ABORT|CUDA error|out of memory|error loading model|Illegal instruction"
    r"|failed to|Fatal Python error|terminate called|what\(\):",
    re.IGNORECASE,
)
_LOW_SHARE = 0.1

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
}


def signal_name(exit_code: int) -> str | None:
    """Return the name of the signal in a negative exit code."""
    if exit_code >= 0:
        return None
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


def cause(
    exit_code: int | None, log_tail: str, available_bytes: int, total_bytes: int, peak_bytes: int
) -> str:
    """Return one or two sentences on how the child ended; sizes in bytes."""
    if exit_code is None:
        return "The model process closed its channel without an answer and was ended."
    name = signal_name(exit_code)
    if name is None:
        return f"The model process exited with code {exit_code} before it had finished." + _said(
            log_tail
        )
    if name == "SIGKILL" and available_bytes < total_bytes * _LOW_SHARE:
        return (
            f"The model process was killed (SIGKILL), most likely by the system's memory killer: "
            f"it held {_gigabytes(peak_bytes)} and only {_gigabytes(available_bytes)} was left. "
            "Choose a smaller quantisation or a smaller context (n_ctx)."
        )
    likely = _CAUSES.get(name, "the reason is not known")
    return f"The model process was ended by {name}; {likely}." + _said(log_tail)


def _said(log_tail: str) -> str:
    line = telling_line(log_tail)
    return f" Its last words: {line}" if line else ""


def telling_line(log_tail: str) -> str:
    """Return the line of a log that says most, or an empty text."""
    lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or [""])[-1][:300]


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
