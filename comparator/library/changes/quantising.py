"""Making a ladder: quantisations of one GGUF model, planned, checked, made one after another.

``plan`` lets llama.cpp say how large each file becomes (its dry run); ``make`` makes them, each
in a child process that may write to one hidden folder, from which the whole file is renamed
into place. Killed at any time, it leaves at most that folder, which the next run removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from comparator.core.disk import free_bytes
from comparator.core.exceptions import ConfigurationError, ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.core.quiet import quiet
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.formats import gguf_header
from comparator.formats.shards import shards_of
from comparator.library import discovery, quantisations
from comparator.library.changes import child_jobs
from comparator.library.facts.lookup import facts_of
from runners import protocol, registry

_HIDDEN = ".quantise-"
_PIECE_BYTES = 16 * 1024 * 1024
_POLL_SECONDS = 0.1
_LONGEST_NAME_BYTES = 255  # of most file systems
# Reading a byte of the source for its checksum, in units of writing a byte: measured.
_READING_COST = 0.1


@dataclass(frozen=True)
class Rung:
    """One file to be made.

    Attributes:
        quantisation: its name, such as ``Q4_K_M``.
        path: where it will be.
        expected_bytes: its size, within some kilobytes.
        bits_per_weight: the true mean over all tensors; 0 where llama.cpp does not say.
        substituted: how many tensors get another type, since their rows do not fit this one.
    """

    quantisation: str
    path: Path
    expected_bytes: int
    bits_per_weight: float
    substituted: int


@dataclass(frozen=True)
class Ladder:
    """What ``make`` will make, and what a person should know before.

    Attributes:
        source: the model that is quantised.
        models_dir: the folder of our own, below which the files will be.
        rungs: the files, in the order in which they are made.
        warnings: sentences, such as that the source is itself quantised.
    """

    source: ModelInfo
    models_dir: Path
    rungs: tuple[Rung, ...]
    warnings: tuple[str, ...]

    @property
    def needed_bytes(self) -> int:
        """The sum of the files' expected sizes."""
        return sum(rung.expected_bytes for rung in self.rungs)


@dataclass(frozen=True)
class QuantisingProgress:
    """How far the making is.

    Attributes:
        step: ``wait`` (another program is at work), ``read`` (the source's checksum),
            ``quantise`` or ``made``.
        rung: the file that is being made; None before the first.
        done: bytes of this step so far.
        total: bytes of this step.
        share: how much of everything is done, 0 to 1.
        model: the finished model, with the step ``made``.
    """

    step: str
    rung: Rung | None
    done: float
    total: float
    share: float
    model: ModelInfo | None = None


class _Measured(msgspec.Struct):
    """What a child says of one quantisation."""

    type: str
    bytes: protocol.Count
    bits_per_weight: float
    substituted: protocol.Count
    needs_matrix: bool


Progresses = Generator[QuantisingProgress, None, None]


def plan(source: ModelInfo, words: Sequence[str], models_dir: Path) -> Ladder:
    """Check what is asked for, and let llama.cpp say how large each file becomes.

    Raises:
        ConfigurationError: a quantisation is unknown, not offered, what the source is already,
            or there already.
        EngineMissingError: llama-cpp-python is not installed.
        ModelLoadError: the source is no whole GGUF model, or the disk has too little space.
    """
    names = quantisations.named(words)
    _refuse_other_kinds(source)
    registry.check_quantiser()
    _refuse_damaged(source)
    paths = [_target(source, name, models_dir) for name in names]
    _refuse_needless(source, names, paths)
    rungs = tuple(
        Rung(found.type, path, found.bytes, found.bits_per_weight, found.substituted)
        for found, path in zip(_measure(source, names), paths, strict=True)
    )
    ladder = Ladder(source, models_dir, rungs, tuple(_warnings(source, rungs)))
    _refuse_too_large(ladder.needed_bytes, models_dir)
    return ladder


def make(ladder: Ladder, should_stop: child_jobs.ShouldStop = child_jobs.never) -> Progresses:
    """Make the files one after another; yield how far it is, and each model made.

    It ends early when ``should_stop`` says so (asked ten times a second) and when the iterator
    is closed; files that were finished stay, nothing half-made does.

    Raises:
        ConfigurationError: a file of that name has appeared since the plan.
        ModelLoadError: the disk is full, the folder cannot be written, or llama.cpp failed.
    """
    with contextlib.suppress(child_jobs.Stopped):
        try:
            yield from _Making(ladder, should_stop).progress()
        except OSError as error:
            raise _not_made(ladder, error) from error


class _Making:
    """The work of ``make``, and how much of it is done."""

    def __init__(self, ladder: Ladder, should_stop: child_jobs.ShouldStop) -> None:
        self._ladder, self._should_stop = ladder, should_stop
        self._shards = _files_of(ladder.source)
        self._reading = _READING_COST * sum(path.stat().st_size for path in self._shards)
        self._before = 0.0  # what is done of all, in bytes written

    def progress(self) -> Iterator[QuantisingProgress]:
        folder = self._ladder.models_dir / "gguf"
        folder.mkdir(parents=True, exist_ok=True)
        # Not bound to a thread: a page's generator is advanced by one thread and closed by another.
        lock = FileLock(self._ladder.models_dir / ".quantise.lock", timeout=0, thread_local=False)
        yield from self._waited_for(lock)
        try:
            _clear_leftovers(folder)
            metadata = yield from self._read_source()
            for rung in self._ladder.rungs:
                yield from self._make(rung, metadata)
                self._before += rung.expected_bytes
        finally:
            lock.release()

    def _at(self, step: str, rung: Rung | None, done: float, total: float) -> QuantisingProgress:
        all_of_it = self._reading + self._ladder.needed_bytes
        now = self._reading * done / max(total, 1.0) if step == "read" else done
        return QuantisingProgress(
            step, rung, done, total, min(1.0, (self._before + now) / all_of_it)
        )

    def _waited_for(self, lock: FileLock) -> Iterator[QuantisingProgress]:
        while True:
            with contextlib.suppress(Timeout):
                lock.acquire()
                return
            self._mind_the_stop()
            yield self._at("wait", None, 0, 0)
            time.sleep(_POLL_SECONDS)

    def _mind_the_stop(self) -> None:
        if self._should_stop():
            raise child_jobs.Stopped

    def _read_source(self) -> Generator[QuantisingProgress, None, dict[str, str]]:
        """Take the checksum of the source; return the entries of a header that name it."""
        digest, done = hashlib.sha256(), 0
        total = sum(path.stat().st_size for path in self._shards)
        for path in self._shards:
            with open(path, "rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    self._mind_the_stop()
                    quiet.rest()
                    digest.update(piece)
                    done += len(piece)
                    yield self._at("read", None, done, total)
        self._before = self._reading
        return _origin(self._ladder.source, self._shards[0].name, total, digest.hexdigest())

    def _make(self, rung: Rung, metadata: dict[str, str]) -> Iterator[QuantisingProgress]:
        _refuse_existing(rung.path)
        _refuse_too_large(rung.expected_bytes, self._ladder.models_dir)
        folder = rung.path.with_name(f"{_HIDDEN}{os.getpid()}")
        folder.mkdir()
        try:
            yield from self._quantise(rung, folder / "whole.gguf", metadata)
            _put_in_place(folder / "whole.gguf", rung.path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        done = self._at("made", rung, rung.expected_bytes, rung.expected_bytes)
        yield QuantisingProgress(**{**vars(done), "model": discovery.inspect(rung.path)})

    def _quantise(
        self, rung: Rung, target: Path, metadata: dict[str, str]
    ) -> Iterator[QuantisingProgress]:
        arguments = {
            "target": str(target),
            "type": rung.quantisation,
            "metadata": metadata,
            "expected_bytes": rung.expected_bytes,
        }
        assignment = child_jobs.assignment("quantize", self._shards, arguments, target.parent)
        with contextlib.closing(child_jobs.messages(assignment, self._should_stop)) as messages:
            for message in messages:
                if isinstance(message, protocol.Loading):
                    yield self._at("quantise", rung, message.done, message.total)
        self._mind_the_stop()
        child_jobs.finished(message, f"{rung.quantisation} of {_name(self._ladder.source)}")


def _not_made(ladder: Ladder, error: OSError) -> ModelLoadError:
    reason = error.strerror or error
    if str(error.filename) in map(str, _files_of(ladder.source)):
        return ModelLoadError(
            f"{_name(ladder.source)} cannot be read: {reason}. Was it moved or deleted?"
        )
    return ModelLoadError(
        f"The models cannot be put into {ladder.models_dir}: {reason}. "
        "Free space there, or choose a folder that you may write to with --models-dir."
    )


def _refuse_other_kinds(source: ModelInfo) -> None:
    if source.problem:
        raise ModelLoadError(f"{_name(source)} cannot be quantised: {source.problem}")
    if source.model_type is ModelType.PYTORCH:
        raise ConfigurationError(
            f"{_name(source)} is a transformers folder; llama.cpp quantises GGUF files. Convert it "
            "first with convert_hf_to_gguf.py of llama.cpp's source, or pull a GGUF of it."
        )
    if source.model_type is not ModelType.GGUF:
        raise ConfigurationError(
            f"{_name(source)} is not a GGUF model and has no weights to change."
        )


def _refuse_damaged(source: ModelInfo) -> None:
    for path in _files_of(source):
        gguf_header.check_complete(path)


def _refuse_needless(source: ModelInfo, names: Sequence[str], paths: Sequence[Path]) -> None:
    number = gguf_header.read_metadata(source.path).get("general.file_type")
    said = gguf_header.FILE_TYPES.get(number) if isinstance(number, int) else None
    is_now = said or facts_of(source).quantisation
    if is_now in names:
        raise ConfigurationError(f"{_name(source)} is {is_now} already. Leave {is_now} out.")
    for path in paths:
        _refuse_existing(path)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise ConfigurationError(
            f"{with_controls_shown(str(path))} is there already. Leave that quantisation out, "
            f"or remove the file first: comparator remove {path.stem}"
        )


def _refuse_too_large(needed_bytes: int, models_dir: Path) -> None:
    try:
        free = free_bytes(models_dir)
    except OSError as error:
        raise ModelLoadError(f"Cannot reach {models_dir}: {error.strerror or error}.") from error
    if free < needed_bytes:
        raise ModelLoadError(
            f"The files need {fine_size(needed_bytes)}; {fine_size(free)} are free at "
            f"{models_dir}. Free some space, or make fewer quantisations."
        )


def _warnings(source: ModelInfo, rungs: Sequence[Rung]) -> Iterator[str]:
    is_now = facts_of(source).quantisation
    if is_now is not None and is_now not in quantisations.UNQUANTISED:
        yield (
            f"{_name(source)} is itself quantised ({is_now}), and what that lost stays lost: "
            "larger files made of it are no more exact, and smaller ones are less exact than "
            "files made of the original (F16 or BF16)."
        )
    for rung in rungs:
        if rung.substituted:
            yield (
                f"{rung.quantisation}: {rung.substituted} tensors have rows that do not fit it "
                f"and get a larger type; the file has {rung.bits_per_weight:.2f} bits per weight."
            )


def _name(model: ModelInfo) -> str:
    return with_controls_shown(model.name)


def _files_of(source: ModelInfo) -> list[Path]:
    return shards_of(Path(source.path))


def _target(source: ModelInfo, quantisation: str, models_dir: Path) -> Path:
    """Return where a quantisation of a model goes; its name is made fit for a file's."""
    plain = quantisations.without_suffix(source.name)
    plain = "".join("-" if letter in '/\\:*?"<>|' else letter for letter in plain)
    plain = with_controls_shown(plain).replace("\n", "-").lstrip(".") or "model"
    suffix = f".{quantisation}.gguf"
    room = _LONGEST_NAME_BYTES - len(suffix)
    cut = os.fsencode(plain)[:room].decode("utf-8", "ignore")
    return models_dir / "gguf" / f"{cut}{suffix}"


def _origin(source: ModelInfo, name: str, size: int, digest: str) -> dict[str, str]:
    """Return the entries of a header that say what a file was made from."""
    return {
        "quantize.source.file": with_controls_shown(name),
        "quantize.source.bytes": str(size),
        "quantize.source.sha256": digest,
        "quantize.source.type": facts_of(source).quantisation or "unknown",
    }


def _measure(source: ModelInfo, names: Sequence[str]) -> list[_Measured]:
    assignment = child_jobs.assignment("measure", _files_of(source), {"types": list(names)})
    *_, last = child_jobs.messages(assignment)
    end = child_jobs.finished(last, f"A quantisation of {_name(source)}")
    try:
        found = msgspec.json.decode(end.text, type=list[_Measured])
    except msgspec.MsgspecError as error:
        raise ModelLoadError(f"llama.cpp's answer about {_name(source)} is unreadable.") from error
    if [measured.type for measured in found] != list(names):
        raise ModelLoadError(f"llama.cpp's answer about {_name(source)} is incomplete.")
    for measured in found:
        if measured.needs_matrix:
            raise quantisations.needs_a_matrix(measured.type)
    return found


def _put_in_place(whole: Path, path: Path) -> None:
    """Rename a finished file when it is on the disk for certain."""
    _to_disk(whole)
    _refuse_existing(path)
    whole.rename(path)
    if os.name == "posix":
        _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows wants to write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clear_leftovers(folder: Path) -> None:
    """Remove what killed programs left; nobody else is at work, since we hold the lock."""
    for leftover in folder.glob(f"{_HIDDEN}*"):
        shutil.rmtree(leftover, ignore_errors=True)
