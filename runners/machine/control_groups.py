"""The control groups that limit this program: version 1 or 2, nested, or those of a container."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

MOUNTED = "/sys/fs/cgroup"
OWN = "/proc/self/cgroup"


def groups_of(controller: str) -> tuple[tuple[Path, int], ...]:
    """Return the folders of the groups that this program is in, innermost first, with the version.

    Not each of them is there: inside a container its own group is the root, and the path told
    is not to be found; nor has each of them a file for every limit.

    Args:
        controller: what is limited, such as ``memory`` or ``cpu``.
    """
    try:
        with open(OWN, encoding="utf-8", errors="replace") as file:
            told = file.read()
    except OSError:
        return ()
    return _groups(controller, told, MOUNTED)


@lru_cache(maxsize=8)
def _groups(controller: str, told: str, mounted: str) -> tuple[tuple[Path, int], ...]:
    """Make the paths once: some thirty of each run made memory grow in steps (docs/speed.md)."""
    groups = []
    for line in told.splitlines():
        _number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            root, version = Path(mounted), 2
        elif controller in controllers.split(","):
            root, version = _root_of_version_1(controller, controllers, mounted), 1
        else:
            continue
        here = root / path.strip("/")
        for folder in (here, *here.parents):
            groups.append((folder, version))
            if folder == root:
                break
    return tuple(groups)


def _root_of_version_1(controller: str, controllers: str, mounted: str) -> Path:
    """Return where a controller is mounted: under its name, or under those it is mounted with."""
    alone = Path(mounted) / controller
    return alone if alone.is_dir() else Path(mounted) / controllers
