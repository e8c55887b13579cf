"""LoRA adapters of the library: which there are, for which base, and whether they fit one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparator.core import units
from comparator.core.exceptions import ModelLoadError, ModelNotFoundError
from comparator.core.lora import Adapter
from comparator.core.models import ModelInfo, ModelType
from comparator.core.text import with_controls_shown
from comparator.formats import gguf_header, safetensors_header
from comparator.formats.adapter_files import (
    PEFT_CONFIG,
    AdapterFiles,
    is_gguf_adapter,
    read_adapter,
)
from comparator.formats.shards import shards_of
from comparator.library.discovery import Skipped
from comparator.library.facts.lookup import facts_of

_EMBEDDING = "token_embd.weight"  # whose two matrices lie the other way round
_ENGINES = {ModelType.GGUF: "GGUF files", ModelType.PYTORCH: "transformers folders (PEFT)"}
_CONVERTER = "convert_lora_to_gguf.py of llama.cpp makes a GGUF file of a PEFT folder"


@dataclass(frozen=True)
class LibraryAdapter:
    """An adapter that a scan has found.

    Attributes:
        id: eight hexadecimal digits of its path, like a model's.
        name: its file's or folder's, or what another program calls it.
        path: where it is.
        kind: the engine whose models it is for.
        base: the model that it says it was made for; empty where it does not say.
        size: bytes of its weights.
        rank: the largest of its matrices.
        problem: why it cannot be used; empty where nothing speaks against it.
    """

    id: str
    name: str
    path: str
    kind: ModelType
    base: str = ""
    size: int = 0
    rank: int = 0
    problem: str = ""


def adapters_among(models: Iterable[ModelInfo], skipped: Iterable[Skipped]) -> list[LibraryAdapter]:
    """Return the adapters among what a scan has listed and passed over; reads headers of them."""
    listed = {model.path for model in models if facts_of(model).purpose == "adapter"}
    names = {entry.path: entry.name for entry in skipped if _is_adapter(Path(entry.path))}
    paths = sorted({*listed, *names})
    return [_described(Path(path), names.get(path, "")) for path in paths]


def _is_adapter(path: Path) -> bool:
    try:
        if path.is_dir():
            return (path / PEFT_CONFIG).exists()
        return path.is_file() and is_gguf_adapter(path)
    except OSError:
        return False


def _described(path: Path, name: str) -> LibraryAdapter:
    mark = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    kind = ModelType.PYTORCH if path.is_dir() else ModelType.GGUF
    try:
        files = read_adapter(path)
    except ModelLoadError as error:
        return LibraryAdapter(mark, name or path.name, str(path), kind, problem=str(error))
    base = with_controls_shown(files.base)
    return LibraryAdapter(mark, name or files.name, str(path), kind, base, files.size, files.rank)


def meant(adapters: Sequence[LibraryAdapter], wanted: str) -> LibraryAdapter:
    """Return the adapter that an id or a name means.

    Raises:
        ModelNotFoundError: nothing or more than one thing answers to it.
    """
    matches = [a for a in adapters if a.id == wanted] or [a for a in adapters if a.name == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(adapter.id for adapter in matches)
        raise ModelNotFoundError(f"Several adapters are named {wanted!r}. Use an id: {ids}.")
    names = ", ".join(adapter.name for adapter in adapters if not adapter.problem)
    there_are = f"There are: {names}." if names else "There are none in the library."
    raise ModelNotFoundError(f"No adapter {wanted[:80]!r}. {there_are}")


def suits(adapter: LibraryAdapter, model: ModelInfo) -> bool:
    """Tell whether an adapter of the library fits a model; reads headers of both."""
    if adapter.problem or adapter.kind is not model.model_type:
        return False
    try:
        known = check_base(read_adapter(Path(adapter.path)), model)
    except ModelLoadError:
        return False
    return known or (bool(adapter.base) and _is_named_like(adapter.base, model))


def details(model: ModelInfo, found: Iterable[LibraryAdapter]) -> list[tuple[str, str]]:
    """Return the row of a model's details that names its adapters; none where it has none."""
    names = ", ".join(adapter.name for adapter in found if suits(adapter, model))
    return [("Adapters", with_controls_shown(names))] if names else []


def as_text(found: Sequence[LibraryAdapter]) -> str:
    """Return the adapters of a library, one a line; empty where there are none."""
    lines = []
    for adapter in found:
        base = f"for {adapter.base}" if adapter.base else "its base is not named"
        said = adapter.problem or f"{base}, rank {adapter.rank}, {units.size(adapter.size)}"
        lines.append(with_controls_shown(f"  {adapter.id}  {adapter.name}: {said}"))
    head = "Adapters, each put on the N-th model of a run by --set N.lora=NAME:"
    return "\n".join([head, *lines]) if lines else ""


def check(adapters: Iterable[Adapter], model: ModelInfo) -> list[str]:
    """Refuse adapters that are none or do not fit a model; return what is to be said of them.

    Raises:
        ModelLoadError: which one it is, and why.
    """
    said = []
    for adapter in adapters:
        files = read_adapter(Path(adapter.name))
        check_base(files, model)
        if files.base and not _is_named_like(files.base, model):
            said.append(
                f"The adapter {files.name} says that it was made for "
                f"{with_controls_shown(files.base[:100])}; {model.name} may be another model."
            )
    return said


def sizes_of(adapters: Iterable[Adapter]) -> int:
    """Return the bytes of adapters' weights; those that cannot be read count nothing."""
    total = 0
    for adapter in adapters:
        try:
            total += read_adapter(Path(adapter.name)).size
        except ModelLoadError:
            continue
    return total


def check_base(files: AdapterFiles, model: ModelInfo) -> bool:
    """Refuse an adapter on a model that it was not made for.

    Returns:
        Whether the model's own weights tell that it fits; False where they are not known.

    Raises:
        ModelLoadError: the first thing that does not fit, by name.
    """
    if model.model_type is ModelType.CUSTOM:
        return False
    if files.kind is not model.model_type:
        raise ModelLoadError(
            f"The adapter {files.name} is for {_ENGINES[files.kind]}, and {model.name} is none. "
            f"Take the base model in that form; {_CONVERTER}."
        )
    if files.kind is ModelType.GGUF:
        _check_architecture(files, model)
        _compare(files, model, _shapes_of_gguf(model), must_be_there=True)
        return True
    shapes = _shapes_of_folder(Path(model.path))
    _compare(files, model, shapes, must_be_there=False)
    _check_layers(files, model, shapes)
    return bool(shapes)


def _check_layers(
    files: AdapterFiles, model: ModelInfo, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse an adapter none of whose layers a model has; what holds the layers may differ."""
    tails = tuple(f".{weight.partition('.')[2] or weight}" for weight in files.shapes)
    if shapes and not any(f".{name}".endswith(tails) for name in shapes):
        first = with_controls_shown(next(iter(files.shapes))[:80])
        raise ModelLoadError(
            f"The adapter {files.name} changes {first}, "
            f"and {model.name} has no such layer. Choose the model that it was made for."
        )


def _check_architecture(files: AdapterFiles, model: ModelInfo) -> None:
    own = gguf_header.read_metadata(model.path).get("general.architecture")
    if own != files.architecture:
        raise ModelLoadError(
            f"The adapter {files.name} was made for the architecture {files.architecture!r}; "
            f"{model.name} is {own!r}. Choose the model that it was made for."
        )


def _compare(
    files: AdapterFiles,
    model: ModelInfo,
    shapes: Mapping[str, tuple[int, ...]],
    must_be_there: bool,
) -> None:
    """Compare the weights that an adapter changes with those of a model, row's length first."""
    for weight, (_rank, inputs, outputs) in files.shapes.items():
        shape = shapes.get(weight)
        if shape is None and must_be_there:
            raise ModelLoadError(
                f"The adapter {files.name} changes {with_controls_shown(weight[:80])}, which "
                f"{model.name} does not have. Choose the model that it was made for."
            )
        if shape is None or weight == _EMBEDDING:
            continue
        if (inputs, outputs) not in (shape[:2], _turned(files, shape)):
            raise ModelLoadError(
                f"The adapter {files.name} does not fit {model.name}: it changes "
                f"{with_controls_shown(weight[:80])} as {outputs} x {inputs}, and the model has "
                f"{' x '.join(map(str, shape[::-1]))}. Choose the model that it was made for."
            )


def _turned(files: AdapterFiles, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return a shape with rows and columns exchanged where the adapter says so."""
    return shape[1::-1] if files.config.get("fan_in_fan_out") else None


def _shapes_of_gguf(model: ModelInfo) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for shard in shards_of(Path(model.path)):
        shapes |= {tensor.name: tensor.shape for tensor in gguf_header.read_header(shard)[1]}
    return shapes


def _shapes_of_folder(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a folder's matrices by the layer's name, row's length first."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name, shape in safetensors_header.read_shapes(file).items():
            if len(shape) == 2:
                shapes[name.removesuffix(".weight")] = shape[::-1]
    return shapes


def _is_named_like(base: str, model: ModelInfo) -> bool:
    wanted, *others = (
        re.sub(r"[^a-z0-9]+", "", text.lower())
        for text in (Path(base).name, model.name, Path(model.path).parent.name)
    )
    return any(wanted in other or (other and other in wanted) for other in others)
