"""Where models are looked for, by what a user has set: their own folder, and other programs'."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from comparator.core.exceptions import ConfigurationError
from comparator.library.sources import SOURCES

SPACE_STORAGE = Path("/data")  # where a Space that has storage of its own finds it
_FOLDERS_ONLY = ("none", "folder", "folders")


def default_models_dir() -> Path:
    """Return ``COMPARATOR_MODELS_DIR``, else ``./models`` if it is there, else the user's own.

    On a Space, where nobody could put models elsewhere, it is the first that can be written to.
    """
    named = os.environ.get("COMPARATOR_MODELS_DIR")
    if named:
        return Path(named).expanduser()
    if os.environ.get("SPACE_ID"):
        return _writable_on_a_space()
    here = Path("models")
    if here.is_dir():
        return here
    return Path(platformdirs.user_data_dir("multi-llm-comparator", appauthor=False)) / "models"


def _writable_on_a_space() -> Path:
    """Return ``./models``, else a folder in the storage that lasts, else a temporary one."""
    own, lasting = Path("models"), SPACE_STORAGE / "models"
    if os.access(own, os.W_OK):
        return own
    if os.access(lasting if lasting.exists() else SPACE_STORAGE, os.W_OK):
        return lasting
    try:
        return Path(tempfile.gettempdir()) / "multi-llm-comparator" / "models"
    except OSError:  # nothing can be written at all: who puts models there says so
        return own


def chosen_sources(without: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the sources that ``COMPARATOR_SOURCES`` names, or all, less those given.

    The variable is a list with commas; "none" or "folder" stands for the user's folders alone.

    Raises:
        ConfigurationError: a name that no source has.
    """
    text = os.environ.get("COMPARATOR_SOURCES")
    named = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    wanted = list(SOURCES) if text is None or named == ["all"] else named
    for name in [*wanted, *without]:
        if name not in (*SOURCES, *_FOLDERS_ONLY):
            known = ", ".join(SOURCES)
            raise ConfigurationError(f"No source is called {name!r}. There are: {known}.")
    return tuple(key for key in SOURCES if key in wanted and key not in without)
