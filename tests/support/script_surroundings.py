"""A checkout's scripts among stand-ins: a Python whose pip writes down what it is asked for.

Nothing of the real PATH is seen but what the scripts need, so that a compiler is there or not as
a test says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = ("cat", "cksum", "date", "dirname", "ln", "mkdir", "rm", "sed")
COMPILERS = ("cc", "c++", "cmake")
COPIED = ("scripts", "pyproject.toml", "constraints.txt", "runners/__init__.py",
          "runners/machine/__init__.py", "runners/machine/native_build.py")  # fmt: skip
# The stand-in for the system's Python: makes environments of stand-ins, else is the real one.
SYSTEM_PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    for name in python comparator ruff mypy; do ln -s {stand_in} "$3/bin/$name"; done
    exit 0
fi
exec {python} "$@"
"""
# What lies in an environment: it writes down its words, and answers as pip would.
IN_AN_ENVIRONMENT = """#!/bin/sh
echo "${{0##*/}} $* CXXFLAGS=${{CXXFLAGS:-}}" >>{state}/said
case "$*" in
    - | "- "*) [ -e {state}/has-native ]; exit ;;
    "-m pip wheel "*)
        [ ! -e {state}/build-fails ] || {{ echo "error: the compiler is unhappy"; exit 1; }}
        while [ "$1" != --wheel-dir ]; do shift; done
        cat {state}/empty.whl >"$2/llama_cpp_python-${{3#*==}}-py3-none-any.whl"
        ;;
    "-m pip index versions "*)
        echo "Available versions: 9.0.0, 2.13.0+cpu, 2.13.0, 0.3.36, 0.3.35"
        ;;
    "-m pip uninstall "*) rm {state}/has-native ;;
    "-m pip install "*.whl*) : >{state}/has-native ;;
esac
"""


class Surroundings:
    """A copy of the scripts, and a PATH that a test decides.

    Attributes:
        checkout: the copy, which is also the folder that the scripts work in.
        cache: the user's folder for what can be made again.
    """

    def __init__(self, place: Path, tools: tuple[str, ...] = COMPILERS) -> None:
        self.checkout, self.cache = place / "checkout", place / "cache"
        self._tools, self._state = place / "bin", place / "state"
        self._tools.mkdir()
        self._state.mkdir()
        for name in COPIED:
            target = self.checkout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
            copy(REPOSITORY / name, target)
        for name in TOOLS:
            self.add(name, f'#!/bin/sh\nexec {shutil.which(name)} "$@"\n')
        stand_in = place / "stand-in"
        self._write(stand_in, IN_AN_ENVIRONMENT.format(state=self._state))
        with zipfile.ZipFile(self._state / "empty.whl", "w") as archive:
            archive.writestr("llama_cpp/__init__.py", "")
        words = SYSTEM_PYTHON.format(python=sys.executable, stand_in=stand_in)
        self._write(self._tools / "python3", words)
        for name in tools:
            self.add(name)

    def _write(self, path: Path, words: str) -> None:
        path.unlink(missing_ok=True)  # never through a link, which leads to the machine's own tool
        path.write_text(words, "utf-8")
        path.chmod(0o755)

    def add(self, tool: str, words: str = "#!/bin/sh\necho '#define __VERSION__ 1'\n") -> None:
        """Put a tool on the PATH, or another one in its place."""
        self._write(self._tools / tool, words)

    def remove(self, tool: str) -> None:
        """Take a tool from the PATH."""
        (self._tools / tool).unlink()

    def let_builds_fail(self) -> None:
        """Have the compiler refuse from now on."""
        (self._state / "build-fails").touch()

    def run(self, script: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the copy to its end."""
        environment = {
            "HOME": str(self.cache), "XDG_CACHE_HOME": str(self.cache),
            "PATH": str(self._tools), "LANG": "C.UTF-8", **more,
        }  # fmt: skip
        command = [str(self.checkout / "scripts" / script), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=os.path.sep, timeout=60
        )

    def said(self) -> list[str]:
        """Return what was asked of the environments' programs since the last time."""
        file = self._state / "said"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def wheels(self) -> list[Path]:
        """Return the wheels that are kept for the user."""
        return sorted(self.cache.glob("multi-llm-comparator/wheels/*/*.whl"))
