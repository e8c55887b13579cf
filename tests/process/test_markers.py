"""What tests/conftest.py and tests/unit/conftest.py do to tests, seen from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
UNIT = """
import contextlib, os, subprocess
import multiprocess.resource_tracker
import pytest

STARTING = {
    "fork": lambda: os.fork() or os._exit(0),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: os.system("true"),
    "server": lambda: multiprocess.resource_tracker.ResourceTracker().ensure_running(),
}

@pytest.mark.parametrize("how", STARTING)
def test_starting(how):
    STARTING[how]()

@pytest.mark.parametrize("how", STARTING)
def test_swallowing(how):
    with contextlib.suppress(Exception):
        STARTING[how]()

@pytest.mark.process
def test_one_that_may():
    subprocess.run(["true"], check=True)

def test_one_that_does_not():
    pass
"""


def run(folder: Path, *words: str) -> str:
    """Run pytest in a folder; return what it said."""
    paths = os.pathsep.join([str(TESTS / "support"), str(TESTS.parent)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *words],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
    )
    return done.stdout


def test_a_unit_test_that_starts_a_process_fails(tmp_path: Path) -> None:
    shutil.copy(TESTS / "unit" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = process\n")
    (tmp_path / "test_unit.py").write_text(UNIT)
    said = run(tmp_path, "-rA")
    for how in ("fork", "program", "shell", "server"):
        assert f"FAILED test_unit.py::test_starting[{how}]" in said
        assert f"ERROR test_unit.py::test_swallowing[{how}]" in said
    assert "PASSED test_unit.py::test_one_that_may" in said
    assert said.splitlines()[-1].startswith("4 failed, 6 passed, 8 errors in "), said


def test_folder_and_fixtures_give_the_marker_by_which_tests_are_chosen() -> None:
    paths = ("ui/test_page_names.py", "process/test_disk.py", "process/test_stopping.py")
    folders = [f"tests/{path}" for path in (*paths, "unit/core")]
    said = run(TESTS.parent, "--collect-only", "-m", "ui or model or bounds", *folders)
    assert "tests/ui/test_page_names.py::test_" in said, "by the folder"
    assert "test_disk.py::test_both_engines_answer_in_a_read_only_home" in said, "by a fixture"
    assert "test_stopping.py::test_stop_ends_the_child_in_time" in said, "by another"
    assert "test_disk.py::test_a_run_on_a_full_disk" not in said
    assert "test_stopping.py::test_a_stopped_comparison" not in said
    assert "tests/unit/core" not in said
