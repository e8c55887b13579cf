"""The contract tests of an engine on the device, on models in the starter models' measures.

Their weights are random: what asks for a sensible answer fails here by design, and the table
names each test that failed.
"""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comparator.library.changes import starter

from .scene import Scene
from .steps import Row

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = "tests/contract/test_engines.py"
_NAMED = 12  # failed tests that get a row of their own
_ENDING = {"pytorch": "pytorch", "gguf": "llama_cpp"}


def pytorch(scene: Scene) -> None:
    """Run the tests of the PyTorch engine."""
    _run(scene, "pytorch")


def gguf(scene: Scene) -> None:
    """Run the tests of the GGUF engine."""
    _run(scene, "gguf")


def _run(scene: Scene, kind: str) -> None:
    report = scene.folder / f"contract-{kind}.xml"
    with in_place(scene):
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", TESTS, "-q", "-p", "no:cacheprovider"),
                *("-k", _ENDING[kind], f"--junitxml={report}"),
            ],
            cwd=REPOSITORY,
            check=False,
        )
    passed, failed = outcome_of(report)
    if not passed and not failed:
        raise RuntimeError("No test was run.")
    scene.tell(Row("tests that passed", passed))
    scene.tell(Row("tests that failed", len(failed), "", not failed, "0"))
    for name in failed[:_NAMED]:
        scene.tell(Row(f"failed: {name}", "see the log"))


def outcome_of(report: Path) -> tuple[int, list[str]]:
    """Return how many tests passed, and the names of those that failed, of a JUnit file."""
    if not report.exists():
        return 0, []
    cases = list(ET.parse(report).getroot().iter("testcase"))
    failed = [
        str(case.get("name"))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - len(failed) - skipped, failed


@contextmanager
def in_place(scene: Scene) -> Iterator[None]:
    """Put the made models where the tests look for the starter models, as far as none are."""
    put = []
    for key, place in starter.PLACES.items():
        target = REPOSITORY / "models" / place
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source = scene.pytorch("starter") if key == "pytorch" else scene.gguf("starter")
            target.symlink_to(source.resolve())
            put.append(target)
    try:
        yield
    finally:
        for target in put:
            target.unlink()
