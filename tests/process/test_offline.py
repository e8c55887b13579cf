"""Without any network everything works, and a mistyped name makes no connection."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ALONE = ["unshare", "-Urn"]  # a network of its own, with nothing in it, not even loopback


@pytest.fixture
def needs_a_network_of_its_own() -> None:
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"]).returncode:
        pytest.skip("no network of its own can be made here without being root")


def run_alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*ALONE, sys.executable, "-m", "comparator", "run", *arguments]
    wishes = {k: v for k, v in os.environ.items() if "OFFLINE" not in k}  # nobody asks for it
    return subprocess.run(
        [*command, "-p", "hello", "--max-tokens", "3", "-o", "jsonl"],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=120, env=wishes,
    )  # fmt: skip


@pytest.mark.usefixtures("needs_a_network_of_its_own")
def test_both_engines_answer_without_a_network(starter_models: dict[str, str]) -> None:
    done = run_alone("-m", starter_models["gguf_q4_1"], "-m", starter_models["pytorch"])
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["error"] for record in records] == [None, None]
    assert [record["stats"]["token_count"] for record in records] == [3, 3]


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
