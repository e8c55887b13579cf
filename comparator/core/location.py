"""Where a model lies, and what its place says of it before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OWN_SOURCE = "folder"


@dataclass(frozen=True)
class Place:
    """One place of a model.

    Attributes:
        source: the key of the program that keeps it there; ``folder`` for the user's own folders.
        path: a file (GGUF) or a directory (transformers).
        name: what the model is called there.
    """

    source: str
    path: str
    name: str

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Place:
        """Make a place of a mapping with these names; what it leaves out is empty."""
        source = fields.get("source") or OWN_SOURCE
        return cls(str(source), str(fields["path"]), str(fields.get("name") or ""))


@dataclass(frozen=True)
class Location:
    """Where a model was found.

    Attributes:
        source: the key of the program whose folder it is; ``folder`` for the user's own folders.
        places: all places of the same content, the one used first; empty where only one is known.
        problem: why it cannot be loaded; None when nothing speaks against it.
        shards: in how many files a GGUF is.
    """

    source: str = OWN_SOURCE
    places: tuple[Place, ...] = ()
    problem: str | None = None
    shards: int = 1
