"""Removing a model of our own folder: first what would go, then the removal itself.

Only what really lies below ``models_dir`` is touched. A link there is removed, never what it
leads to. Everything is renamed to a hidden name first and deleted then, so that a removal that
is killed leaves no half of a model; the next one clears what it left.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.formats.model_files import is_weights_name
from comparator.formats.shards import shards_of
from comparator.formats.weights import weight_files

_HIDDEN = ".removed-"
_OWN_MODELS = frozenset({"config.json", "adapter_config.json"})  # say that a folder is a model
_DOWNLOAD_NOTES = Path(".cache") / "huggingface"  # what huggingface_hub keeps beside a download
# What repositories of transformers models hold; anything else in the folder is someone's own.
_OF_A_MODEL = re.compile(
    r"\.(safetensors|bin|pt|pth|msgpack|h5|onnx|onnx_data|json|jinja|model|tiktoken|py)$"
    r"|^(merges|vocab)\.txt$|^\.git(attributes|ignore)$"
    r"|^(readme|licen[sc]e|notice|use_policy)([.\-_].*)?$",
    re.IGNORECASE,
)
_TOOLS = {
    "huggingface": "the Hugging Face cache (hf cache delete)",
    "modelscope": "the ModelScope cache (modelscope clear-cache)",
    "ollama": "Ollama (ollama rm)",
    "lmstudio": "LM Studio",
    "gpt4all": "GPT4All",
    "jan": "Jan",
    "textgen": "text-generation-webui",
    "llamacpp": "llama.cpp's cache",
}


@dataclass(frozen=True)
class Removal:
    """What removing a model means.

    Attributes:
        model: the model.
        models_dir: the folder of our own, in which it lies.
        paths: the files and links that go, every one.
        bytes_freed: what the disk gets back: links free nothing, nor do files of which
            another hard link stays.
        folder: the folder that goes as a whole; None where single files go.
        kept: other files in the model's folder, which stay.
        notes: sentences that a person should read before.
    """

    model: ModelInfo
    models_dir: Path
    paths: tuple[Path, ...]
    bytes_freed: int
    folder: Path | None = None
    kept: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def plan_removal(model: ModelInfo, models_dir: Path) -> Removal:
    """Say what removing a model would delete; nothing is touched.

    Raises:
        ConfigurationError: it is not in our folder, and whose it is.
        MultiLLMError: its files cannot be read.
    """
    home = Path(os.path.realpath(models_dir))
    place = _own_place(model, home)
    try:
        return _planned(model, home, place)
    except OSError as error:
        raise _not_removed(model, error) from error


def remove(plan: Removal) -> None:
    """Delete what a plan names, and the folders that become empty by it.

    Raises:
        ConfigurationError: there is more to delete by now than the plan says.
        MultiLLMError: the folder cannot be written, or a file is in use (on Windows).
    """
    _refuse_changed(plan)
    try:
        _clear_leftovers(plan.models_dir)
        if plan.folder is not None:
            _delete(plan.folder.parent, [plan.folder])
            _tidy(plan.folder.parent, plan.models_dir)
        else:
            _remove_files(plan)
    except OSError as error:
        raise _not_removed(plan.model, error) from error


def _refuse_changed(plan: Removal) -> None:
    now = plan_removal(plan.model, plan.models_dir)
    if not set(now.paths) <= set(plan.paths) or now.folder != plan.folder:
        raise ConfigurationError(
            f"{with_controls_shown(plan.model.name)} has changed since you were asked. "
            "Nothing was removed; look at it again."
        )


def _own_place(model: ModelInfo, home: Path) -> Path:
    """Return where below our folder the model lies.

    Raises:
        ConfigurationError: nowhere.
    """
    for place in (model.path, *(place.path for place in model.places)):
        path = Path(os.path.abspath(place))
        parent = Path(os.path.realpath(path.parent))
        if parent.is_relative_to(home) and parent / path.name != home:
            return parent / path.name
    raise _elsewhere(model, home)


def _elsewhere(model: ModelInfo, home: Path) -> ConfigurationError:
    name, path = with_controls_shown(model.name), with_controls_shown(model.path)
    if model.source in _TOOLS:
        return ConfigurationError(
            f"{name} belongs to {_TOOLS[model.source]} and is left alone: {path}. Remove it there."
        )
    return ConfigurationError(
        f"{name} is not in your models folder {home} but at {path}, and is left alone. "
        "Delete it yourself, or name its folder with --models-dir."
    )


def _planned(model: ModelInfo, home: Path, place: Path) -> Removal:
    if place.is_dir() and not place.is_symlink():
        return _planned_folder(model, home, place)
    present = tuple(path for path in shards_of(place) if os.path.lexists(path))
    if not present:
        raise FileNotFoundError(2, "there is no such file any more", str(place))
    notes = (*_notes(present), *_other_places(model, place))
    return Removal(model, home, present, _bytes_freed(present), notes=notes)


def _planned_folder(model: ModelInfo, home: Path, folder: Path) -> Removal:
    going, kept = _sorted_out(folder)
    whole = folder if not kept else None
    notes = [*_notes(going), *_other_places(model, folder), *_left_over(folder, going)]
    if kept:
        notes.append(f"These files are no part of the model and stay: {_named(kept, folder)}.")
    return Removal(model, home, tuple(going), _bytes_freed(going), whole, tuple(kept), tuple(notes))


def _named(paths: Sequence[Path], folder: Path) -> str:
    names = ", ".join(with_controls_shown(str(path.relative_to(folder))) for path in paths[:5])
    return f"{names} and {len(paths) - 5} more" if len(paths) > 5 else names


def _left_over(folder: Path, going: Iterable[Path]) -> Iterator[str]:
    """Name the weights that go with a model's folder though no load of it reads them."""
    read = set(weight_files(folder))
    others = [path for path in going if is_weights_name(path.name) and path not in read]
    if others:
        yield (
            f"Of these, the model itself does not use {_named(others, folder)} "
            f"({fine_size(_bytes_freed(others))}): copies or what is left of something else."
        )


def _sorted_out(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a transformers folder that are the model's, and the others."""
    going: list[Path] = []
    kept: list[Path] = []
    others: list[Path] = []  # models of their own, such as checkpoints
    for place, folders, files in os.walk(folder, onerror=_raise):
        here = Path(place)
        if here != folder and not _OWN_MODELS.isdisjoint(files):
            others.append(here)
        is_another = any(here.is_relative_to(other) for other in others)
        is_notes = _DOWNLOAD_NOTES.parts[0] in here.relative_to(folder).parts
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted([*files, *links]):
            is_models = is_notes or (not is_another and _OF_A_MODEL.search(name) is not None)
            (going if is_models else kept).append(here / name)
    return going, kept


def _raise(error: OSError) -> None:
    raise error


def _bytes_freed(paths: Iterable[Path]) -> int:
    """Return what the disk gets back: the sizes of files of which no other hard link stays."""
    found = [path.lstat() for path in paths if not path.is_symlink()]
    links = Counter((status.st_dev, status.st_ino) for status in found)
    sizes = {
        (status.st_dev, status.st_ino): status.st_size
        for status in found
        if status.st_nlink <= links[status.st_dev, status.st_ino]
    }
    return sum(sizes.values())


def _notes(paths: Iterable[Path]) -> Iterator[str]:
    paths = list(paths)
    for path in paths:
        if path.is_symlink():
            target = with_controls_shown(os.path.realpath(path))
            yield f"{with_controls_shown(path.name)} is a link; what it leads to stays: {target}."
    linked = [path for path in paths if not path.is_symlink() and path.lstat().st_nlink > 1]
    if linked:
        yield (
            f"{with_controls_shown(linked[0].name)} has other names on this disk (hard links), "
            "so the space comes back only when the last of them is removed."
        )
    if _is_read(paths):
        yield "A running model reads it; its space comes back when that run has ended."


def _other_places(model: ModelInfo, place: Path) -> Iterator[str]:
    for other in model.places:
        if os.path.realpath(other.path) != os.path.realpath(place):
            yield f"The same model stays at {with_controls_shown(other.path)}."


def _is_read(paths: Iterable[Path]) -> bool:
    """Return whether a process of this machine has mapped one of the files (Linux only)."""
    if not sys.platform.startswith("linux"):
        return False
    wanted = [os.fsencode(os.path.realpath(path)) for path in paths]
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            text = maps.read_bytes()
            if any(path + b"\n" in text for path in wanted):
                return True
    return False


def _remove_files(plan: Removal) -> None:
    by_folder: dict[Path, list[Path]] = {}
    for path in plan.paths:
        by_folder.setdefault(path.parent, []).append(path)
    for folder, paths in by_folder.items():
        _delete(folder, paths)
        for path in paths:
            _remove_download_notes(path, plan.models_dir)
    for folder in sorted(by_folder, reverse=True):  # the deepest first
        _tidy(folder, plan.models_dir)


def _delete(folder: Path, paths: Iterable[Path]) -> None:
    """Rename into a hidden folder, then delete that: killed in between, nothing half is left."""
    hidden = Path(tempfile.mkdtemp(prefix=f"{_HIDDEN}{os.getpid()}-", dir=folder))
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # somebody was faster
            path.rename(hidden / path.name)
    shutil.rmtree(hidden)


def _remove_download_notes(path: Path, models_dir: Path) -> None:
    """Remove what huggingface_hub noted of a downloaded file, so that it loads it again."""
    for folder in _parents(path.parent, models_dir):
        notes = folder / _DOWNLOAD_NOTES / "download" / path.relative_to(folder)
        for suffix in (".metadata", ".lock"):
            notes.with_name(notes.name + suffix).unlink(missing_ok=True)


def _tidy(folder: Path, models_dir: Path) -> None:
    """Remove empty folders from here up to ``models_dir``, which stays."""
    for place in _parents(folder, models_dir):
        if place == models_dir:
            return
        if _holds_only_notes(place):
            shutil.rmtree(place / _DOWNLOAD_NOTES.parts[0], ignore_errors=True)
        try:
            place.rmdir()
        except OSError:
            return  # something is left in it


def _holds_only_notes(folder: Path) -> bool:
    """Return whether nothing but notes of finished downloads is left in a folder."""
    outer, inner = _DOWNLOAD_NOTES.parts
    return (
        [entry.name for entry in folder.iterdir()] == [outer]
        and [entry.name for entry in (folder / outer).iterdir()] == [inner]
        and not any((folder / _DOWNLOAD_NOTES).rglob("*.incomplete"))
    )


def _parents(folder: Path, models_dir: Path) -> Iterator[Path]:
    """Yield a folder and those above it, ``models_dir`` last."""
    while folder.is_relative_to(models_dir):
        yield folder
        folder = folder.parent


def _clear_leftovers(models_dir: Path) -> None:
    for leftover in models_dir.rglob(f"{_HIDDEN}*"):
        owner = leftover.name.removeprefix(_HIDDEN).partition("-")[0]
        if not (owner.isdecimal() and psutil.pid_exists(int(owner))):
            shutil.rmtree(leftover, ignore_errors=True)


def _not_removed(model: ModelInfo, error: OSError) -> MultiLLMError:
    return MultiLLMError(
        f"{with_controls_shown(model.name)} cannot be removed: {error.strerror or error}. "
        "Close what uses it, and look at who may write to its folder."
    )
