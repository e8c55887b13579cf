"""The sdist built from the checkout, and the wheel built from the sdist, as an index gets them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 1200  # of a machine on which other things run


def built(
    hatchling: Sequence[str], folder: Path, environment: Mapping[str, str] = os.environ
) -> tuple[Path, Path]:
    """Build both into a folder by hatchling's command; return the wheel and the sdist."""
    build = [*hatchling, "build", "-d", str(folder / "dist")]
    done([*build, "-t", "sdist"], REPOSITORY, environment)
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    done(["tar", "xzf", str(sdist), "-C", str(folder)], folder, environment)
    done([*build, "-t", "wheel"], folder / sdist.name.removesuffix(".tar.gz"), environment)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel, sdist


def done(command: Sequence[str], folder: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Run a command to its end, which must be a good one."""
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=BUILD_SECONDS, cwd=folder, env=environment
    )
    assert ended.returncode == 0, ended.stderr
