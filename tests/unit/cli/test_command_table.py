"""The table of commands says what the modules say, and help imports none of them."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import comparator
from comparator.cli.main import COMMANDS

MODULES = Path(comparator.__file__).parent / "cli" / "commands"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_is_its_docstrings_first_line(name: str) -> None:
    module = importlib.import_module(f"comparator.cli.commands.{COMMANDS[name].module}")
    assert (inspect.getdoc(module.command) or "").splitlines()[0] == COMMANDS[name].help


def test_every_module_with_a_command_is_in_the_table() -> None:
    with_command = {
        path.stem for path in MODULES.glob("*.py") if "\ndef command(" in path.read_text("utf-8")
    }
    assert with_command == {known.module for known in COMMANDS.values()}


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
