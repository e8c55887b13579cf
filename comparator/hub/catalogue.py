"""What the hub has: a search, and a look into one repository. Built on ``HfApi``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub import ModelInfo as HubModelInfo

from comparator.core.exceptions import ConfigurationError, HubError
from comparator.core.models import ModelType
from comparator.core.text import with_controls_shown
from comparator.hub import trouble
from comparator.hub.selection import Offer, RemoteFile, choices

MOST_RESULTS = 50
_LOOKED_AT = 100  # of a search that asks for sizes, which only each repository can tell
_LOOKS_AT_ONCE = 8
_LOOK_SECONDS = 20.0
_FILTERS = {ModelType.GGUF: "gguf", ModelType.PYTORCH: "safetensors"}
_PARTS = ["downloads", "gated", "gguf", "lastModified", "likes", "safetensors", "sha", "tags"]
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ADDRESS = re.compile(r"^(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/", re.IGNORECASE)


@dataclass(frozen=True)
class SearchHit:
    """A repository that a search found.

    Attributes:
        id: ``ORG/NAME``.
        engines: which of our engines its files are for, as the hub says.
        downloads: of the last month.
        parameters: how many, where the hub knows; else None.
        licence: the hub's name of it, such as ``apache-2.0``; None where unknown.
        is_gated: whether its owner must let you in.
        choices: what can be fetched, where a search asked for sizes; else empty.
    """

    id: str
    engines: tuple[ModelType, ...]
    downloads: int
    likes: int
    parameters: int | None
    licence: str | None
    is_gated: bool
    choices: tuple[Offer, ...] = ()


@dataclass(frozen=True)
class Repository:
    """A repository at one commit, and what can be fetched of it.

    Attributes:
        id: ``ORG/NAME``, as the hub spells it.
        commit: the 40 hexadecimal digits of the commit that was seen.
        licence: the hub's name of it; None where unknown.
        choices: quantisations by size, then a transformers model.
    """

    id: str
    commit: str
    licence: str | None
    choices: tuple[Offer, ...]


def search(
    text: str,
    engine: ModelType | None = None,
    licence: str | None = None,
    largest_bytes: int | None = None,
    limit: int = 20,
) -> list[SearchHit]:
    """Return repositories whose name has the text, the most fetched first.

    Args:
        text: part of a name; empty for all.
        engine: only models for this engine; None for both.
        licence: the hub's name of a licence, such as ``apache-2.0``.
        largest_bytes: only those that offer something of at most this size; it is what makes
            the search look into each repository, so it takes longer.
        limit: how many at the most, up to 50.

    Raises:
        HubError: the hub cannot be asked, and why.
    """
    api = HfApi()
    wanted = min(limit, MOST_RESULTS)
    tags = [_FILTERS[engine]] if engine else []
    tags += [f"license:{licence.lower()}"] if licence else []
    with trouble.told_in_words():
        infos = api.list_models(
            search=text or None,
            filter=tags or None,
            pipeline_tag="text-generation" if engine is ModelType.PYTORCH else None,
            sort="downloads",
            limit=_LOOKED_AT if largest_bytes else wanted,
            expand=_PARTS,  # type: ignore[arg-type]
        )
        found = [_found(info) for info in infos]
    if largest_bytes is None:
        return found
    return list(_small_enough(found, engine, largest_bytes))[:wanted]


def look(name: str) -> Repository:
    """Return a repository with its files' sizes and checksums, at its newest commit.

    Args:
        name: ``ORG/NAME``, or its address on the hub.

    Raises:
        ConfigurationError: it is no name of a repository, or a file's name is dangerous.
        HubError: the hub cannot be asked, has no such repository or does not let you in.
    """
    plain = plain_name(name)
    with trouble.told_in_words(plain):
        info = HfApi().model_info(plain, files_metadata=True, timeout=_LOOK_SECONDS)
        commit = info.sha or ""
        if not _DIGEST.fullmatch(commit):
            raise HubError(f"{trouble.hub_name()} does not say at which commit {plain} is.")
        offered = tuple(choices(_files(info, plain)))
        return Repository(plain_name(info.id), commit, _licence(info), offered)


def plain_name(name: str) -> str:
    """Return ``ORG/NAME`` of a name or an address.

    Raises:
        ConfigurationError: it is neither.
    """
    plain = _ADDRESS.sub("", name.strip()).strip("/")
    if not _NAME.fullmatch(plain) or ".." in plain or "--" in plain:
        raise ConfigurationError(
            f"{with_controls_shown(name)!r} is no name of a repository. Write ORG/NAME, or "
            "ORG/NAME:QUANTISATION, such as bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M."
        )
    return plain


def _found(info: HubModelInfo) -> SearchHit:
    tags = set(info.tags or ())
    return SearchHit(
        id=with_controls_shown(info.id),
        engines=tuple(engine for engine, tag in _FILTERS.items() if tag in tags),
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        parameters=_parameters(info),
        licence=_licence(info),
        is_gated=bool(info.gated),
    )


def _parameters(info: HubModelInfo) -> int | None:
    said: Any = (info.gguf or {}).get("total") or getattr(info.safetensors, "total", None)
    return said if isinstance(said, int) and said > 0 else None


def _licence(info: HubModelInfo) -> str | None:
    tags = (tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:"))
    licence = next(tags, None)
    return with_controls_shown(licence) if licence else None


def _files(info: HubModelInfo, name: str) -> Iterator[RemoteFile]:
    for sibling in info.siblings or ():
        digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        size = sibling.lfs.size if sibling.lfs else sibling.size
        if isinstance(size, int) and size >= 0 and _DIGEST.fullmatch(digest or ""):
            yield RemoteFile(sibling.rfilename, size, str(digest))
        elif sibling.rfilename.lower().endswith((".gguf", ".safetensors", ".bin")):
            shown = with_controls_shown(sibling.rfilename)
            raise HubError(
                f"{trouble.hub_name()} does not say the size and the checksum of {shown} of "
                f"{name}, so it could not be checked and is not fetched."
            )


def _small_enough(
    found: Iterable[SearchHit], engine: ModelType | None, largest_bytes: int
) -> Iterator[SearchHit]:
    def fitting(repository: SearchHit) -> SearchHit | None:
        try:
            offered = look(repository.id).choices
        except (HubError, ConfigurationError):
            return None  # gated, gone or dangerous: nothing that could be fetched now
        fit = tuple(
            offer
            for offer in offered
            if offer.size <= largest_bytes and engine in (None, offer.engine)
        )
        return replace(repository, choices=fit) if fit else None

    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as workers:
        yield from (repository for repository in workers.map(fitting, found) if repository)
