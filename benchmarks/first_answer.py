"""How long a newcomer waits: from ``git clone`` to the first answers, in a clone of its own.

Usage: ``python -m benchmarks.first_answer [--prebuilt] [--keep-downloads] [--folder DIR]``.

The checkout's last commit is cloned into an empty folder, and its ``./scripts/start`` sets up the
environment, puts the starter models in place and opens the page; then a model of each engine is
asked through ``/compare``. Nothing that an earlier installation left is used: no built wheel, no
verdict of a trial, no download that pip has kept (``--keep-downloads`` lets pip have its own, for a
slow network). ``--prebuilt`` is handed on: then nothing is compiled.

It takes as long as it says, 5 to 15 minutes, and 4 GB of disk, which are given back.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .company import MODELS, PROMPT
from .programs import WebProgram, quiet_environment
from .web import ServedPage

REPOSITORY = Path(__file__).resolve().parents[1]
ASKED = ("PyTorch", "GGUF Q4_1")  # both engines; the prebuilt one has these two as well
TOKENS = 16
MOST_SECONDS = 3600.0


class StartedClone(ServedPage):
    """The page that a clone's own script has opened."""

    most_start_seconds = MOST_SECONDS

    def __init__(self, clone: Path, environment: Mapping[str, str], options: Sequence[str]) -> None:
        self._models_dir = clone / "models"
        command = [str(clone / "scripts" / "start"), *options, "--server-port"]
        WebProgram.__init__(self, command, environment)


def environment_of(places: Path, keep_downloads: bool) -> dict[str, str]:
    """Return an environment in which nothing is found that was built or fetched before.

    Args:
        places: a folder that is empty.
        keep_downloads: let pip use what it has kept.
    """
    environment = quiet_environment(places)
    environment["XDG_CACHE_HOME"] = str(places / "kept")  # our wheels, and what pip keeps
    if keep_downloads:
        environment["PIP_CACHE_DIR"] = str(Path.home() / ".cache" / "pip")
    return environment


def waited(folder: Path, options: Sequence[str], keep_downloads: bool) -> dict[str, float]:
    """Clone, start and ask; return the seconds from the beginning to each step, by its name."""
    clone = folder / "clone"
    began = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    steps = {"the clone": time.monotonic() - began}
    page = StartedClone(clone, environment_of(folder / "places", keep_downloads), options)
    try:
        steps["the page"] = time.monotonic() - began
        asked = time.monotonic() - began
        told = page.round([clone / "models" / MODELS[label] for label in ASKED], PROMPT, TOKENS)
        steps["the first word"] = asked + told["first_text_seconds"]
        steps[f"both answers of {TOKENS} tokens"] = asked + told["seconds"]
    finally:
        page.close()
    return steps


def main() -> None:
    """Measure once and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prebuilt", action="store_true")
    parser.add_argument("--keep-downloads", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the clone is made for a while")
    arguments = parser.parse_args()
    options = ["--prebuilt"] if arguments.prebuilt else []
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="first-answer-") as folder:
        steps = waited(Path(folder), options, arguments.keep_downloads)
    print(f"{'prebuilt' if arguments.prebuilt else 'compiled'}, seconds from the beginning:")
    for step, seconds in steps.items():
        print(f"{seconds:8.1f}  {step}")


if __name__ == "__main__":
    main()
