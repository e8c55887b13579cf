"""What a source is: a place where some program keeps models."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from comparator.library.discovery import Scan, Skipped, find


class Source(ABC):
    """A program whose models are offered too; it is only ever read.

    Attributes:
        key: its name in options, settings and ``ModelInfo.source``.
        title: its name for people.
    """

    key: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def places(self) -> list[Path]:
        """Return the folders where it keeps models on this system, there or not."""

    def find(self) -> Scan:
        """Return its models and what was passed over; empty where it is not installed."""
        whole = Scan()
        for place in self.places():
            try:
                if place.is_dir():
                    add(whole, self.find_in(place))
            except OSError as error:
                reason = f"Cannot be read: {error.strerror or error}."
                whole.skipped.append(Skipped(str(place), reason))
        return whole

    def find_in(self, place: Path) -> Scan:
        """Return what lies in one of its folders: as in any folder, unless a source differs.

        Raises:
            OSError: the folder cannot be read.
        """
        return find(place, self.key)


def add(whole: Scan, part: Scan) -> None:
    """Add what was found in one place to what was found before; copies are merged later."""
    whole.found += part.found
    whole.skipped += part.skipped


def home() -> Path:
    """Return the user's home folder, also where nobody says which it is."""
    return Path(os.path.expanduser("~"))


def from_environment(*names: str) -> Path | None:
    """Return the folder that the first of these environment variables names, if one does."""
    for name in names:
        value = os.environ.get(name)
        if value:
            return Path(os.path.expandvars(value)).expanduser()
    return None


def data_folder() -> Path:
    """Return where programs keep a user's data on this system."""
    if sys.platform == "darwin":
        return home() / "Library" / "Application Support"
    if sys.platform == "win32":
        return from_environment("APPDATA") or home() / "AppData" / "Roaming"
    return from_environment("XDG_DATA_HOME") or home() / ".local" / "share"


def local_data_folder() -> Path:
    """Return the same, on Windows the part that does not travel between machines."""
    if sys.platform == "win32":
        return from_environment("LOCALAPPDATA") or home() / "AppData" / "Local"
    return data_folder()


def cache_folder() -> Path:
    """Return where programs keep a user's caches on this system."""
    if sys.platform == "darwin":
        return home() / "Library" / "Caches"
    if sys.platform == "win32":
        return local_data_folder()
    return from_environment("XDG_CACHE_HOME") or home() / ".cache"
