"""Where a child's libraries lie: what it may read besides its model.

A search path of Python names more than libraries: the folder of the user's script, a checkout.
Of such folders only the packages that were imported from them are allowed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator

_LIBRARY_FOLDERS = frozenset({"site-packages", "dist-packages"})
_INSTALLED = ".dist-info"  # not .egg-info, which lies in checkouts


def all_places(known: Iterable[str] = ()) -> list[str]:
    """Return folders and files with Python code, none of which lies beneath another.

    Args:
        known: places that are allowed anyway.
    """
    places: list[str] = []
    beneath = tuple(path + os.sep for path in known)
    for path in dict.fromkeys((*_interpreter(), *filter(_holds_libraries, sys.path), *imported())):
        # As they are written: to resolve all the links would take milliseconds.
        if not (path + os.sep).startswith(beneath):
            places.append(path)
            beneath += (path.rstrip(os.sep) + os.sep,)
    return places


def _interpreter() -> Iterator[str]:
    for path in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        if not _is_too_wide(path):
            yield path


def _is_too_wide(path: str) -> bool:
    home, temporary = os.path.expanduser("~"), tempfile.gettempdir()
    return os.path.realpath(path) in {"/", os.path.realpath(home), os.path.realpath(temporary)}


def _holds_libraries(path: str) -> bool:
    """Whether an entry of the search path is a place where packages are installed."""
    if not path or _is_too_wide(path):
        return False
    if os.path.basename(os.path.normpath(path)) in _LIBRARY_FOLDERS or path.endswith(".zip"):
        return True
    with contextlib.suppress(OSError):
        return any(name.endswith(_INSTALLED) for name in os.listdir(path))
    return False


@functools.cache
def imported() -> tuple[str, ...]:
    """Return the folders of the packages, and the files of the modules, that are imported now.

    A fork server asks once: to look at thousands of modules costs a forked child a copy of
    their pages.
    """
    found: list[str] = []
    for name, module in list(sys.modules.items()):
        if "." in name or name == "__main__":
            continue
        folders = [path for path in getattr(module, "__path__", ()) if isinstance(path, str)]
        file = getattr(module, "__file__", None)
        found += folders or ([file] if isinstance(file, str) else [])
    return tuple(found)
