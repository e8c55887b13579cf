"""Makes GGUF files of other GGUF files; each job runs in a child process of its own.

A job writes to a target that does not exist yet; its caller renames it into place when the
job is done, so that no half-made model is ever listed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ConfigurationError, ModelLoadError
from comparator.formats.checks import check_gguf_file
from runners.engines.gguf import adapter, library
from runners.machine.cores import thread_count
from runners.protocol import JobProgress

MAKER = "quantize.engine"  # the key of the header that says which llama.cpp made a file
NOWHERE = os.path.join(os.devnull, "unused")  # a dry run that writes all the same fails there
_POLL_SECONDS = 0.1
_MIB = 1024 * 1024
_METADATA_BYTES = 64 * 1024  # our entries, and the rounding of the sizes that llama.cpp logs
_FULL_DISK_BYTES = 1024 * 1024  # a write that failed for want of space has used up the rest
_BUFFER_BYTES = 1024**3  # rows of a tensor that are held at once; llama.cpp's own limit is 8 GiB
_LONGEST_TEXT_BYTES = 127  # llama.h: llama_model_kv_override.val_str


def measure(arguments: dict[str, Any], report: JobProgress, should_stop: Callable[[], bool]) -> str:
    """Say how large a GGUF file becomes in other quantisations, by llama.cpp's dry run.

    Args:
        arguments: ``source``, a GGUF file, ``types``, names such as ``Q8_0``, and for a split
            source ``shards``, all its files.
        report: takes a step, the types measured so far, and their number.
        should_stop: asked between the types.

    Returns:
        A JSON list of one object a type: ``type``, ``bytes`` of the file, ``bits_per_weight``,
        ``substituted`` tensors (whose rows do not fit the type) and ``needs_matrix``.

    Raises:
        ConfigurationError: llama.cpp has no quantisation of that name.
        ModelLoadError: llama.cpp cannot read the source or make the type, or the job was stopped.
    """
    check_gguf_file(Path(arguments["source"]))
    types = arguments["types"]
    found = []
    for number, name in enumerate(types):
        report("measure", number, len(types))
        _refuse_stopped(should_stop)
        log = _quantised({**arguments, "type": name, "target": NOWHERE}, is_dry=True)
        found.append({"type": name, **_measured(log, _bytes_of(arguments))})
    report("measure", len(types), len(types))
    return json.dumps(found)


def _measured(log: str, source_bytes: int) -> dict[str, float | bool]:
    """Read the log of a dry run; what a newer llama.cpp no longer says is estimated high."""
    before, after = adapter.MODEL_MEBIBYTES.search(log), adapter.QUANTISED_MEBIBYTES.search(log)
    substituted = adapter.SUBSTITUTED_TENSORS.search(log)
    size = 2 * source_bytes
    if before and after:
        header = source_bytes - float(before[1]) * _MIB
        size = int(max(0.0, header) + float(after[1]) * _MIB + _METADATA_BYTES)
    return {
        "bytes": size,
        "bits_per_weight": float(after[2]) if after else 0.0,
        "substituted": int(substituted[1]) if substituted else 0,
        "needs_matrix": adapter.NEEDS_MATRIX in log,
    }


def quantize(
    arguments: dict[str, Any], report: JobProgress, should_stop: Callable[[], bool]
) -> None:
    """Make a GGUF file of another quantisation, also of one that is quantised already.

    Args:
        arguments: ``source`` and ``target``, GGUF files, and ``type``, such as ``Q8_0``;
            optional: ``metadata``, texts to write into the header by their keys, and
            ``expected_bytes``, the size of the target.
        report: takes a step, the bytes written so far, and the bytes expected.
        should_stop: asked before the work, which cannot be interrupted from inside.

    Raises:
        ConfigurationError: llama.cpp has no quantisation of that name.
        ModelLoadError: llama.cpp cannot read the source or write the target.
    """
    check_gguf_file(Path(arguments["source"]))
    expected = int(arguments.get("expected_bytes") or 2 * _bytes_of(arguments))
    _refuse_stopped(should_stop)
    with _growth_reported(Path(arguments["target"]), expected, report):
        _quantised(arguments, is_dry=False)


def _bytes_of(arguments: dict[str, Any]) -> int:
    """Return the size of a source, all its shards together."""
    return sum(os.path.getsize(path) for path in arguments.get("shards") or [arguments["source"]])


def _quantised(arguments: dict[str, Any], is_dry: bool) -> str:
    """Let llama.cpp quantise, or only say how, and return what it logged."""
    source, target = str(arguments["source"]), str(arguments["target"])
    llama = library.library()
    parameters = adapter.with_fields(
        llama.llama_model_quantize_default_params(),
        ftype=_file_type(llama, str(arguments["type"])),
        allow_requantize=True,
        dry_run=is_dry,
        nthread=thread_count(arguments.get("n_threads")),
        max_buf_size=_BUFFER_BYTES,
    )
    metadata = arguments.get("metadata")
    if metadata:
        overrides = _overrides(llama, {**metadata, MAKER: library.version()})
        adapter.with_fields(parameters, kv_overrides=overrides)
    with library.log_kept() as pieces:
        code = llama.llama_model_quantize(
            os.fsencode(source), os.fsencode(target), ctypes.byref(parameters)
        )
    log = "".join(pieces)
    if code != 0:
        raise _quantising_failure(os.path.basename(source), target, str(arguments["type"]), log)
    return log


def _overrides(llama: Any, metadata: dict[str, str]) -> Any:
    """Return texts for a header as llama.cpp takes them: an array that an empty key ends.

    Numbers would be cut to 32 bits by it.
    """
    array = (llama.llama_model_kv_override * (len(metadata) + 1))()
    for entry, (key, text) in zip(array, metadata.items(), strict=False):
        entry.tag, entry.key = llama.LLAMA_KV_OVERRIDE_TYPE_STR, key.encode()
        entry.value.val_str = _shortened(text)
    return array


def _shortened(text: str) -> bytes:
    """Return a text in UTF-8, cut between characters where it is too long for llama.cpp."""
    cut = text.encode("utf-8", "replace")[:_LONGEST_TEXT_BYTES]
    return cut.decode("utf-8", "ignore").encode()


def _quantising_failure(name: str, target: str, kind: str, log: str) -> ModelLoadError:
    """Make an error of what llama.cpp logged, or of the disk where that is the cause."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(os.path.dirname(target) or ".").free < _FULL_DISK_BYTES:
            return ModelLoadError(
                f"The disk became full while {kind} of {name} was made. "
                "Free some space and begin again."
            )
    found = adapter.NOT_QUANTISED.search(log)
    if found is None:
        return library.load_failure(name)
    return ModelLoadError(
        f"llama.cpp cannot make {kind} of {name}: {found[1].strip().rstrip('.!')}. "
        "The file may be damaged or of a kind that cannot be quantised: try a run of it first."
    )


def _file_type(llama: Any, name: str) -> int:
    """Return llama.cpp's number of a quantisation's name."""
    types: dict[str, int] = {
        key.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_"): value
        for key, value in vars(llama.module).items()
        if key.startswith("LLAMA_FTYPE_") and not key.endswith("GUESSED")
    }
    if name.upper() not in types:
        raise ConfigurationError(
            f"llama.cpp has no quantisation {name!r}. There are: {', '.join(sorted(types))}."
        )
    return types[name.upper()]


@contextlib.contextmanager
def _growth_reported(target: Path, expected: int, report: JobProgress) -> Iterator[None]:
    """Report a file's size whenever it has grown during the body, from a thread of its own.

    A quantiser that writes nothing any more is no sign of life, so it sends none.
    """
    done = threading.Event()

    def watch() -> None:
        written = -1
        while not done.wait(_POLL_SECONDS):
            with contextlib.suppress(FileNotFoundError):
                size = min(target.stat().st_size, expected)
                if size != written:
                    report("quantize", size, expected)
                written = size

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
