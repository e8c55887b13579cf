"""Find or build the wheel of llama-cpp-python that fits this machine, and print where it lies.

pip keeps what it built under the package's name and version alone, whatever the flags, the
compiler and the processor of the time: a home folder that several machines or containers share
gives one of them another's library. Here each has a folder of its own, named by all of these.
``--key`` only prints that name; ``--rebuild`` builds anew. It runs before anything is installed,
so it uses the standard library alone.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from runners.machine import native_build  # noqa: E402  # nothing is installed yet

SHOWN_LINES = 20
# What of the environment decides what CMake builds.
VARIABLES = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CMAKE_ARGS")


def main() -> int:
    """Print the wheel's path, or with ``--key`` its folder's name. 1 where it cannot be built."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the Python whose pip builds")
    parser.add_argument("--version", help="of llama-cpp-python; the one of constraints.txt")
    parser.add_argument("--key", action="store_true", help="print the name alone")
    parser.add_argument("--rebuild", action="store_true", help="build anew what is kept")
    arguments = parser.parse_args()
    if arguments.key:
        print(key())
        return 0
    version = arguments.version or pinned_version()
    folder = cache_folder() / key()
    kept = None if arguments.rebuild else whole_wheel(folder, version)
    wheel = kept or build(arguments.python, folder, version)
    if wheel is None:
        return 1
    print(wheel)
    return 0


def pinned_version() -> str:
    """Return the version of llama-cpp-python that the constraints name."""
    text = (REPOSITORY / "constraints.txt").read_text("utf-8")
    found = re.search(r"^llama-cpp-python==(\S+)$", text, re.MULTILINE)
    if found is None:
        raise SystemExit("constraints.txt holds no version of llama-cpp-python.")
    return found[1]


def key() -> str:
    """Return a name for everything that decides what the compiler makes of the source."""
    told = [f"{name}={os.environ.get(name, '')}" for name in VARIABLES]
    parts = [native_build.rules(), native_build.machine(), native_build.macros(), *told]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def cache_folder() -> Path:
    """Return the user's folder for such wheels, or one of the checkout where it is not writable."""
    usual = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    base = Path(os.environ.get("XDG_CACHE_HOME") or usual)
    for folder in (base / "multi-llm-comparator" / "wheels", REPOSITORY / "build" / "wheels"):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    raise SystemExit(f"No folder for the built wheel can be written: {folder}.")


def whole_wheel(folder: Path, version: str) -> Path | None:
    """Return a version's wheel in a folder; None where there is none or it is damaged."""
    for wheel in sorted(folder.glob(f"llama_cpp_python-{version}-*.whl")):
        with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(wheel) as archive:
            if archive.testzip() is None:
                return wheel
    return None


def build(python: str, folder: Path, version: str) -> Path | None:
    """Compile the wheel and put it into its folder; None and the compiler's words where not."""
    needed = native_build.flags()
    said = f" with {' '.join(needed)}, which its AMX code needs" if needed else ""
    _tell(f"Compiling llama-cpp-python {version}{said}: 5 to 10 minutes…")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder.parent) as place:
        log = Path(place, "log.txt")
        with open(log, "wb") as output:
            done = subprocess.run(
                _command(python, place, version), stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env=_environment(needed),
            )  # fmt: skip
        wheel = whole_wheel(Path(place), version)
        if done.returncode != 0 or wheel is None:
            _tell(_last_lines(log))
            return None
        _tell(f"Compiled in {time.monotonic() - began:.0f} s.")
        return _kept(wheel, folder)


def _command(python: str, place: str, version: str) -> list[str]:
    name = "llama-cpp-python"
    return [
        python, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "--no-cache-dir",
        "--no-binary", name, "--wheel-dir", place, f"{name}=={version}",
    ]  # fmt: skip


def _environment(needed: tuple[str, ...]) -> dict[str, str]:
    """Return the environment with the flags added to the person's own.

    CMake reads CXXFLAGS, and the last of two flags wins.
    """
    own = os.environ.get("CXXFLAGS", "")
    return {**os.environ, "CXXFLAGS": " ".join([own, *needed]).strip()}


def _kept(wheel: Path, folder: Path) -> Path:
    """Move a built wheel into its folder; another program may have been quicker."""
    folder.mkdir(exist_ok=True)
    target = folder / wheel.name
    os.replace(wheel, target)
    return target


def _last_lines(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()[-SHOWN_LINES:]
    return "\n".join([*lines, "llama-cpp-python could not be compiled; the reason stands above."])


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
