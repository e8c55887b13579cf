"""What tests/conftest.py and tests/unit/conftest.py do to tests, seen from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
STARTING = {
    "a fork": "os.fork() or os._exit(0)",
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "a server of multiprocess": "multiprocess.resource_tracker.ResourceTracker().ensure_running()",
}
UNIT = """
import contextlib, os, subprocess
import multiprocess.resource_tracker
import pytest

def test_it():
    with contextlib.suppress({suppressed}):
        {source}

@pytest.mark.process
def test_one_that_may():
    subprocess.run(["true"], check=True)

def test_one_that_does_not():
    pass
"""


def run(folder: Path, *words: str) -> str:
    """Run pytest on a folder of its own; return the line that counts."""
    paths = os.pathsep.join([str(TESTS / "support"), str(TESTS.parent)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *words],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PYTEST_ADDOPTS": ""},
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("suppressed", ["ZeroDivisionError", "Exception"])
@pytest.mark.parametrize("how", STARTING)
def test_a_unit_test_that_starts_a_process_fails(tmp_path: Path, how: str, suppressed: str) -> None:
    shutil.copy(TESTS / "unit" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = process\n")
    source = UNIT.format(source=STARTING[how], suppressed=suppressed)
    (tmp_path / "test_unit.py").write_text(source)
    counted = run(tmp_path)
    if suppressed == "Exception":
        assert counted.startswith("3 passed, 1 error in "), counted
    else:
        assert counted.startswith("1 failed, 2 passed, 1 error in "), counted


@pytest.mark.parametrize(
    ("marker", "path"),
    [
        ("ui", "tests/ui/test_page_names.py"),
        ("process", "tests/process/test_markers.py"),
        ("model", "tests/process/test_offline.py"),
        ("bounds", "tests/process/test_stopping.py"),
        ("soak", "tests/soak"),
        ("package", "tests/package"),
        ("space", "tests/space"),
    ],
)
def test_folder_and_fixtures_give_the_marker(marker: str, path: str) -> None:
    assert "no tests" not in run(TESTS.parent, "--collect-only", "-m", marker, path)
    assert "no tests" in run(
        TESTS.parent, "--collect-only", "-m", f"{marker} and not {marker}", path
    )
    assert "no tests" in run(TESTS.parent, "--collect-only", "-m", marker, "tests/unit/core")
