"""``comparator suite remove``."""

from __future__ import annotations

from typing import Annotated

import typer

from comparator.cli.display.kept import from_suites
from comparator.cli.errors import FAILED, tell
from comparator.storage.suites import Suites


def command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="ID…", help="Suites, as 'comparator suite list' tells them."),
    ],
) -> int:
    """Remove suites with all their answers."""
    store = Suites()
    try:
        for name in names:
            found = store.id_of(name) or from_suites(store, name).id
            if not store.remove(found):
                tell(store.trouble or f"The suite {found} could not be removed.")
                return FAILED
            print(f"removed {found}")
    finally:
        store.close()
    return 0
