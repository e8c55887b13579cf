"""The program for a GPU goes on after a step that dies, hangs, or cannot be begun."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.gpu import steps
from benchmarks.gpu.steps import Outcome, Step

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pathlib import Path
from benchmarks.gpu.steps import Row, write_row
name, rows = sys.argv[1], Path(sys.argv[3])
write_row(rows, Row(f"{{name}} began", 1.0, "s"))
if name == "dies":
    raise SystemExit("The driver is gone.")
while name == "hangs":
    import time
    time.sleep(60)
"""


def _steps(*names: str, seconds: float = 60.0, waits: bool = False) -> list[Step]:
    return [Step(name, "nowhere:run", seconds, waits) for name in names]


def _run(
    wanted: list[Step], folder: Path, seconds: float = 120.0, missing: str = ""
) -> list[Outcome]:
    command = [sys.executable, "-c", PROGRAM]
    return steps.run_all(wanted, command, folder, time.monotonic() + seconds, lambda _left: missing)


def test_it_goes_on_after_a_step_that_dies_and_keeps_what_that_had_seen(tmp_path: Path) -> None:
    dead, whole = _run(_steps("dies", "lives"), tmp_path)
    assert dead.trouble == "It ended with 1. The driver is gone."
    assert [row.what for row in dead.rows] == ["dies began"]
    assert (whole.trouble, len(whole.rows)) == ("", 1)
    assert not steps.is_right([dead, whole])
    assert steps.is_right([whole])


def test_a_step_that_hangs_is_ended_at_its_limit(tmp_path: Path) -> None:
    (hung,) = _run(_steps("hangs", seconds=3.0), tmp_path)
    assert hung.trouble.startswith("It took longer than 3 s and was ended.")


def test_without_time_or_library_a_step_is_not_begun(tmp_path: Path) -> None:
    (late,) = _run(_steps("lives"), tmp_path, seconds=1.0)
    assert (late.trouble, late.rows) == ("There was no time left.", [])
    (unbuilt,) = _run(_steps("lives", waits=True), tmp_path, missing="It was not compiled.")
    assert (unbuilt.trouble, unbuilt.rows) == ("It was not compiled.", [])
