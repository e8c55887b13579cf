"""A file that a command writes: never over another by mistake, and whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comparator.core.atomic_file import write_atomically
from comparator.core.exceptions import ConfigurationError

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")]


def refuse_overwriting(file: Path, overwrite: bool) -> None:
    """Refuse a file that is there, before anything is done for it.

    Raises:
        ConfigurationError: it is a folder, or is there and may not be replaced.
    """
    if file.is_dir():
        raise ConfigurationError(f"{file} is a folder. Name a file in it.")
    if file.exists() and not overwrite:
        raise ConfigurationError(
            f"{file} is there already, and was left as it is. Name another file, or say "
            "--overwrite."
        )


def save(file: Path, content: str | bytes) -> None:
    """Write a file.

    Raises:
        ConfigurationError: there is no room, or the place is not writable.
    """
    try:
        write_atomically(file, content)
    except OSError as error:
        raise ConfigurationError(
            f"{file} could not be written: {error.strerror or error}. Choose another place."
        ) from error
