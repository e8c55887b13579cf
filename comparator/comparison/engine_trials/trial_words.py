"""What a trial has found, in sentences: what is off, why, and the command that mends it."""

from __future__ import annotations

from collections.abc import Sequence

from comparator.storage.trial_verdicts import BuildVerdict, Failure
from runners.machine import native_build
from runners.machine.processor import this_processor

REBUILD_LLAMA = f"`{native_build.IN_A_CHECKOUT}` (or: `{native_build.BY_PIP}`)"
REINSTALL_TORCH = "`pip install --upgrade --force-reinstall --no-cache-dir torch`"

_PACKAGES = {"llama_cpp": "llama-cpp-python", "xllamacpp": "xllamacpp", "torch": "PyTorch"}


def sentences(kind: str, library: str, verdict: BuildVerdict) -> tuple[str, ...]:
    """Return what a verdict means for answers; nothing where the best settings are right."""
    if verdict.level == 0:
        return ()
    if verdict.level is None:
        return (_none_is_right(kind, library, verdict.failures),)
    if kind == "gguf":
        return (_off_in_llama(verdict.level, verdict.failures),)
    return (_off_in_torch(verdict.level, verdict.failures),)


def other_build(first: str, library: str, failures: Sequence[Failure]) -> str:
    """Say that another build of llama.cpp answers, since no settings of the first were right."""
    return (
        f"GGUF models run on {_PACKAGES[library]}: {_PACKAGES[first]} {_ends(failures)} "
        f"on this processor, whatever its settings. {REBUILD_LLAMA} builds one for "
        "this machine."
    )


def unusable(first: str, library: str, reason: str) -> str:
    """Say that another build of llama.cpp answers, since the first cannot be used at all."""
    return (
        f"GGUF models run on {_PACKAGES[library]}, since {_PACKAGES[first]} cannot be used here: "
        f"{reason}. {REBUILD_LLAMA} builds one for this machine."
    )


def untried(kind: str, reason: str) -> str:
    """Say that an engine runs without a trial, and why."""
    return f"{_name(kind)} runs untried on this machine, with its own defaults: {reason}."


def _off_in_llama(level: int, failures: Sequence[Failure]) -> str:
    has_amx = any(flag.startswith("amx_") for flag in this_processor().flags)
    extra = f"extra buffer types{' (AMX)' * has_amx}"
    how = _how(failures[0])
    if level == 1:
        off = f"llama.cpp's {extra} are off: with them it {how} on this processor."
    else:
        alone = _how(failures[-1])
        then = f"both it {how}, and with the latter alone it {alone}"
        then = f"either of them it {how}" if alone == how else then
        off = f"llama.cpp's {extra} and its flash attention are off: with {then} on this processor."
    gain = "runs with them, about 1.8 times as fast" if has_amx else "may run with them"
    return f"{off} {REBUILD_LLAMA} builds one for this machine that {gain}."


def _off_in_torch(level: int, failures: Sequence[Failure]) -> str:
    how = _how(failures[0])
    wide = " and models of 16 bits are computed with 32" * (level > 1)
    then = f", and without it it {_how(failures[-1])}" * (level > 1)
    return (
        f"PyTorch's oneDNN is off{wide}: with it it {how}{then}, on this processor. Another "
        f"build may run with it: {REINSTALL_TORCH}."
    )


def _none_is_right(kind: str, library: str, failures: Sequence[Failure]) -> str:
    command = REBUILD_LLAMA if kind == "gguf" else REINSTALL_TORCH
    return (
        f"No settings of {_name(kind)} gave right numbers on this machine: {_PACKAGES[library]} "
        f"{_ends(failures)} in its trial. The safest are used; do not trust what it answers. "
        f"Install it anew: {command}."
    )


def _ends(failures: Sequence[Failure]) -> str:
    """Return the ways in which all levels failed, each once."""
    return " and ".join(dict.fromkeys(_how(failure) for failure in failures)) or "failed"


def _how(failure: Failure) -> str:
    if failure.died:
        return f"died by {failure.died} at its first decode"
    reason = f" ({failure.reason.rstrip('.')})" if failure.reason else ""
    return f"computed wrong numbers{reason}"


def _name(kind: str) -> str:
    return "llama.cpp" if kind == "gguf" else "PyTorch"
