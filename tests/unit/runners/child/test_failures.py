"""Every error of a child has its kind and its sentence."""

from __future__ import annotations

import pytest

from comparator.core import exceptions
from runners import protocol
from runners.child import failures, memory_limit
from runners.child.failures import explain


class OutOfMemoryError(RuntimeError):
    """Has the name of the one in torch."""


CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB of which "
    "1 GiB is free.\nSee the documentation"
)
CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 9 bytes. Error code 12 (Cannot allocate memory)"
)


def raised_from(error, cause):
    error.__cause__ = cause
    return error


# error -> stage, error_kind, what the sentence says
CASES = [
    (MemoryError(), "load", "out_of_memory", "Not enough memory (MemoryError)"),
    (MemoryError("1 TB"), "generate", "out_of_memory", "Not enough memory (1 TB)"),
    (RuntimeError(CPU), "load", "out_of_memory", "DefaultCPUAllocator"),
    (OSError(12, "Cannot allocate memory"), "load", "out_of_memory", "Not enough memory"),
    (RuntimeError("std::bad_alloc"), "load", "out_of_memory", "Not enough memory"),
    (OutOfMemoryError(CUDA), "load", "out_of_memory", "Not enough memory on the GPU (CUDA out"),
    (RuntimeError(CUDA), "generate", "out_of_memory", "fewer layers (n_gpu_layers)"),
    (RuntimeError("HIP out of memory. Tried"), "load", "out_of_memory", "use_gpu"),
    (RuntimeError("MPS backend out of memory (MPS)"), "load", "out_of_memory", "on the GPU"),
    (
        raised_from(exceptions.ModelLoadError("cannot load"), MemoryError()),
        "load",
        "out_of_memory",
        "Not enough memory",
    ),
    (exceptions.PromptTooLongError("too long"), "load", "refused", "too long"),
    (exceptions.MessageLostError("left out"), "prompt", "refused", "left out"),
    (exceptions.ModelLoadError("damaged"), "load", "load", "damaged"),
    (exceptions.ModelNotFoundError("gone"), "load", "load", "gone"),
    (exceptions.ConfigurationError("wrong"), "load", "configuration", "wrong"),
    (exceptions.InferenceError("NaN"), "generate", "inference", "NaN"),
    (
        raised_from(exceptions.InferenceError("The chat template is too large."), MemoryError()),
        "prompt",
        "inference",
        "The chat template is too large.",
    ),
    (SystemExit(4), "load", "crashed", "exit (code 4)"),
    (KeyError("x"), "load", "load", "The model could not be loaded: KeyError: 'x'."),
    (ValueError(), "generate", "inference", "The model failed while it answered: ValueError."),
    (
        ModuleNotFoundError("No module named 'sentencepiece'", name="sentencepiece.model"),
        "load",
        "load",
        "pip install sentencepiece.",
    ),
]


@pytest.mark.parametrize(
    ("error", "stage", "kind", "words"), CASES, ids=lambda value: str(value)[:30]
)
def test_each_error_has_its_kind_and_sentence(error, stage, kind, words):
    told = explain(error, stage)
    assert told[0] == kind
    assert words in told[1]
    assert "\n" not in told[1]


def test_a_device_is_told_apart_from_the_host():
    assert "GPU" not in explain(RuntimeError(CPU), "load")[1]
    assert "smaller context (n_ctx)" in explain(RuntimeError(CPU), "load")[1]


def test_need_and_supply_are_named():
    assignment = protocol.Assignment(
        protocol.Job("measure"), 0.0, needed_bytes=13 * 10**9, memory_limit_bytes=9 * 10**9
    )
    sentence = explain(MemoryError(), "load", assignment)[1]
    assert "it needs about 13.00 GB, 9.00 GB was available and it held" in sentence
    failed = failures.failure(MemoryError(), "load", assignment)
    assert (failed.stage, failed.kind) == ("load", "out_of_memory")
    assert "MemoryError" in failed.traceback


def test_no_ceiling_where_none_was_asked_for():
    assert memory_limit.impose(0) == 0
    assert memory_limit.data_bytes() > 1_000_000
