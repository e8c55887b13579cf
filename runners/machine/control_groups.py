"""The control groups that limit this program: version 1 or 2, nested, or those of a container."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MOUNTED = "/sys/fs/cgroup"
OWN = "/proc/self/cgroup"


def groups_of(controller: str) -> Iterator[tuple[Path, int]]:
    """Yield the folders of the groups that this program is in, innermost first, with the version.

    Not each of them is there: inside a container its own group is the root, and the path told
    is not to be found; nor has each of them a file for every limit.

    Args:
        controller: what is limited, such as ``memory`` or ``cpu``.
    """
    try:
        lines = Path(OWN).read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        _number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            root, version = Path(MOUNTED), 2
        elif controller in controllers.split(","):
            root, version = _root_of_version_1(controller, controllers), 1
        else:
            continue
        here = root / path.strip("/")
        for folder in (here, *here.parents):
            yield folder, version
            if folder == root:
                break


def _root_of_version_1(controller: str, controllers: str) -> Path:
    """Return where a controller is mounted: under its name, or under those it is mounted with."""
    alone = Path(MOUNTED) / controller
    return alone if alone.is_dir() else Path(MOUNTED) / controllers
