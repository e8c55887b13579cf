"""Which files of a repository make a model, and what choices a repository offers.

Naming of quantisations: llama.cpp's file types in file names; of shards: ``gguf-split`` and
transformers (``model-00001-of-00002.safetensors``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelType
from comparator.core.text import with_controls_shown, without_surrogates
from comparator.formats.model_files import is_gguf_name, without_gguf_suffix
from comparator.formats.quantisation_names import label_in, recipe_of
from comparator.formats.shards import WEIGHT_SHARD

# What is taken where a repository has several quantisations and none was named: a usual
# compromise first.
PREFERRED = (
    "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q4_0", "Q4_1", "Q5_K_M", "Q5_K_S", "Q6_K", "Q8_0", "Q3_K_M",
    "Q2_K", "BF16", "F16", "F32",
)  # fmt: skip

_LONGEST_SEGMENT_BYTES = 255
_SHARD = re.compile(r"-\d{5}-of-(\d{5})$")
_NO_MODEL = re.compile(
    r"mmproj|imatrix|(^|[.\-_])lora([.\-_]|$)|vocab-only"
    r"|(^|/)(eagle3|dflash|mtp|vocoder|wavtokenizer|control-vector)[.\-_]",
    re.IGNORECASE,
)
_SHARDED_WEIGHTS = re.compile(r"^(?:model|pytorch_model)-\d{5}-of-\d{5}\.(?:safetensors|bin)$")
_BESIDE_WEIGHTS = re.compile(
    r"^(?:config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens"
    r"|vocab|chat_template)\.json$"
    r"|^chat_template\.jinja$|^(?:vocab|merges)\.txt$|^(?:tokenizer|spiece|sentencepiece)\S*\.model$"
    r"|\.tiktoken$|^[\w-]+\.py$|^(?:README\.md|LICEN[SC]E(?:\.\w+)?|NOTICE(?:\.\w+)?)$",
    re.IGNORECASE,
)
_RESERVED = re.compile(r"^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository.

    Attributes:
        name: its path in the repository, with slashes.
        size: bytes.
        digest: in hexadecimal, the sha256 of the content where it is a large file (Git LFS),
            else git's sha1 of it (over ``blob SIZE``, a zero byte and the content).
    """

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Offer:
    """One thing that can be fetched of a repository: a quantisation, or the transformers model.

    Attributes:
        name: such as ``Q4_K_M``, ``UD-Q2_K``, ``safetensors``; unique in its repository.
        engine: what runs it.
        files: everything that is needed, the weights first.
    """

    name: str
    engine: ModelType
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def choices(files: Iterable[RemoteFile]) -> list[Offer]:
    """Return what a repository offers: quantisations by size, then a transformers model.

    Raises:
        ConfigurationError: a file's name would lead out of the folder it is put into.
    """
    found = list(files)
    offered = [*_gguf_choices(found), *_transformers_choices(found)]
    for offer in offered:
        for file in offer.files:
            refuse_unsafe_name(file.name)
    return offered


def pick(offered: Sequence[Offer], wanted: str | None, repository: str) -> Offer:
    """Return the offer that a word means: its name, or the name of one of its files.

    Without a word it is the only offer, or else the first of ``PREFERRED`` that there is.

    Raises:
        ConfigurationError: there is nothing to choose, or no such offer; says what there is.
    """
    if not offered:
        raise ConfigurationError(
            f"{repository} has no model that can be run here: no GGUF file, and no transformers "
            "model (config.json beside safetensors). Look for another repository: "
            "comparator search TEXT"
        )
    if wanted is None:
        return _default(offered)
    word = wanted.casefold()
    for offer in offered:
        if word == offer.name.casefold() or any(_is_called(file, word) for file in offer.files):
            return offer
    raise _no_such(offered, wanted, repository)


def refuse_unsafe_name(name: str) -> None:
    """Refuse a file name that would leave the folder, or that a file system cannot hold.

    Raises:
        ConfigurationError: says which name.
    """
    parts = name.split("/")
    if all(_is_safe(part) for part in parts) and not PurePosixPath(name).is_absolute():
        return
    raise ConfigurationError(
        "The repository has a file with a dangerous name, "
        f"{with_controls_shown(without_surrogates(name))!r}; nothing was fetched. Choose another "
        "repository, and tell the hub about this one."
    )


def _is_safe(part: str) -> bool:
    return bool(
        part not in ("", ".", "..")
        and not part.startswith(".")
        and not set(part) & set('\\:*?"<>|')
        and part == part.strip()
        and part == with_controls_shown(without_surrogates(part))
        and "\n" not in part
        and "\t" not in part
        and not _RESERVED.match(part)
        and len(part.encode()) <= _LONGEST_SEGMENT_BYTES
    )


def _gguf_choices(files: Sequence[RemoteFile]) -> list[Offer]:
    models: dict[str, list[RemoteFile]] = {}
    for file in sorted(files, key=lambda file: file.name):
        if is_gguf_name(file.name) and not _NO_MODEL.search(file.name):
            models.setdefault(_SHARD.sub("", without_gguf_suffix(file.name)), []).append(file)
    whole = {stem: _whole(several) for stem, several in models.items()}
    labels = {stem: quantisation_of(stem) for stem, several in whole.items() if several}
    counts = [label for label in labels.values() if label]
    found = [
        Offer(
            label if label and counts.count(label) == 1 else stem,
            ModelType.GGUF,
            tuple(whole[stem]),
        )
        for stem, label in labels.items()
    ]
    return sorted(found, key=lambda offer: offer.size)


def _whole(files: Sequence[RemoteFile]) -> Sequence[RemoteFile]:
    """Return the one file, or all shards of one model; nothing where a shard is missing."""
    shards = [_SHARD.search(without_gguf_suffix(file.name)) for file in files]
    for file, shard in zip(files, shards, strict=True):
        if shard is None:
            return [file]
    return files if {int(shard[1]) for shard in shards if shard} == {len(files)} else []


def quantisation_of(stem: str) -> str | None:
    """Return the quantisation that a file's name (without its suffix) or its folder says."""
    for part in (stem.rsplit("/", 1)[-1], *reversed(stem.split("/")[:-1])):
        label = label_in(part)
        if label:
            return label
    return None


def _transformers_choices(files: Sequence[RemoteFile]) -> list[Offer]:
    top = {file.name: file for file in files if "/" not in file.name}
    if "config.json" not in top or "adapter_config.json" in top:
        return []
    beside = [file for name, file in sorted(top.items()) if _BESIDE_WEIGHTS.search(name)]
    for name, suffix, plain in (
        ("safetensors", ".safetensors", "model"),
        ("bin", ".bin", "pytorch_model"),
    ):
        weights = _weights(top, suffix, plain)
        if weights:
            return [Offer(name, ModelType.PYTORCH, (*weights, *beside))]
    return []


def _weights(top: dict[str, RemoteFile], suffix: str, plain: str) -> list[RemoteFile]:
    """Return the weights that transformers would load: one file, or the shards and their index."""
    index = f"{plain}{suffix}.index.json"
    if f"{plain}{suffix}" in top:
        return [top[f"{plain}{suffix}"]]
    shards = [
        file
        for name, file in sorted(top.items())
        if name.startswith(plain) and name.endswith(suffix) and _SHARDED_WEIGHTS.match(name)
    ]
    return [*_one_set(shards), top[index]] if shards and index in top else []


def _one_set(shards: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Leave out shards of another count that were left behind; all where it is not clear."""
    sets: dict[int, list[RemoteFile]] = {}
    for file in shards:
        match = WEIGHT_SHARD.match(file.name)
        sets.setdefault(int(match["total"]) if match else 0, []).append(file)
    whole = [files for total, files in sets.items() if len(files) == total]
    return whole[0] if len(whole) == 1 else list(shards)


def _default(offered: Sequence[Offer]) -> Offer:
    if len(offered) == 1:
        return offered[0]
    by_name = {recipe_of(offer.name): offer for offer in reversed(offered)}
    by_name.update({offer.name: offer for offer in offered})
    return next((by_name[name] for name in PREFERRED if name in by_name), offered[0])


def _is_called(file: RemoteFile, word: str) -> bool:
    name = file.name.casefold()
    return word in (name, name.rsplit("/", 1)[-1])


def _no_such(offered: Sequence[Offer], wanted: str, repository: str) -> ConfigurationError:
    names = [offer.name for offer in offered]
    near = difflib.get_close_matches(wanted.upper(), names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    there_are = ", ".join(with_controls_shown(name) for name in names)
    return ConfigurationError(
        f"{repository} has no {with_controls_shown(wanted)!r}.{hint} There are: {there_are}."
    )
