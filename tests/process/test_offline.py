"""A mistyped name makes no connection; without any network, see ``test_disk``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LISTENING = """
import sys

def hear(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname") or (
        event == "socket.connect" and not isinstance(arguments[1], (str, bytes))
    ):
        print("network:", event, arguments, file=sys.stderr)

sys.addaudithook(hear)
from comparator.cli.main import main
main()
"""


@pytest.mark.parametrize("wanted", ["org/a-model-of-the-hub", "./no/such/folder", "gpt2"])
def test_a_name_that_is_nothing_here_makes_no_connection(wanted: str) -> None:
    """It is not looked up at a hub; the interpreter's own audit tells of any attempt."""
    done = subprocess.run(
        [sys.executable, "-c", LISTENING, "run", "-m", wanted, "-p", "x"],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"No model {wanted!r}" in done.stderr
    assert "network:" not in done.stderr
