"""The table of commands says what the modules say, and help imports none of them."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import comparator
from comparator.cli.main import COMMANDS, Command, app

MODULES = Path(comparator.__file__).parent / "cli" / "commands"


GROUPS = {name: known.commands for name, known in COMMANDS.items() if known.commands}
ALONE: dict[str, Command] = {
    **{name: known for name, known in COMMANDS.items() if not known.commands},
    **{f"{group} {name}": one for group, known in GROUPS.items() for name, one in known.items()},
}


@pytest.mark.parametrize("name", ALONE)
def test_a_commands_help_is_its_docstrings_first_line(name: str) -> None:
    module = importlib.import_module(f"comparator.cli.commands.{ALONE[name].module}")
    function = getattr(module, ALONE[name].function)
    assert (inspect.getdoc(function) or "").splitlines()[0] == ALONE[name].help


def test_every_module_with_a_command_is_in_the_table() -> None:
    with_command = {
        path.stem for path in MODULES.glob("*.py") if "\ndef command(" in path.read_text("utf-8")
    }
    assert with_command <= {known.module for known in ALONE.values()}


@pytest.mark.parametrize("group", GROUPS)
def test_help_of_a_group_names_its_commands(group: str) -> None:
    told = CliRunner().invoke(app, [group, "--help"])
    assert told.exit_code == 0
    words = " ".join(told.stdout.split())
    assert COMMANDS[group].help in words
    assert all(known.help in words for known in GROUPS[group].values())


@pytest.mark.process
def test_help_names_every_command_and_imports_none() -> None:
    source = (
        "import sys, comparator.cli.main\n"
        "try: comparator.cli.main.main()\n"
        "finally: print(sorted(m for m in sys.modules if m.startswith('comparator.cli.commands.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("[]")
    for name, known in COMMANDS.items():
        assert name in done.stdout
        assert known.help in " ".join(done.stdout.split())


@pytest.mark.process
def test_listing_models_imports_nothing_that_runs_them() -> None:
    source = (
        "import sys, comparator.cli.commands.models\n"
        "running = ('runners.child', 'runners.supervision', 'runners.engines', 'multiprocess')\n"
        "print(sorted(m for m in sys.modules if m.startswith(running)))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
