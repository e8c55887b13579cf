"""The limits of time from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "comparator", "run"]


def run(folder: Path, script: dict[str, object], *flags: str) -> subprocess.CompletedProcess[str]:
    path = folder / "m.echo.json"
    path.write_text(json.dumps(script))
    return subprocess.run(
        [*COMMAND, "-m", str(path), "-p", "one two three", "-o", "json", *flags],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("flag", "stage", "words"),
    [
        ("--load-timeout", "load", "No sign of life for 1.5 s while loading"),
        ("--first-token-timeout", "prompt", "No sign of life for 1.5 s while reading the prompt"),
        ("--token-timeout", "generate", "No sign of life for 1.5 s while writing"),
        ("--total-timeout", "generate", "The whole run took longer than 1.5 s"),
    ],
)
def test_each_limit_ends_a_hung_model(tmp_path: Path, flag: str, stage: str, words: str) -> None:
    script = {"fault": "hang", "fault_stage": stage, "fault_after": int(stage == "generate")}
    result = run(tmp_path, script, flag, "1.5")
    assert result.returncode == 1
    (record,) = json.loads(result.stdout)
    assert record["error_kind"] == "timeout"
    assert words in record["error"]


def test_zero_turns_a_limit_off(tmp_path: Path) -> None:
    begun = time.monotonic()
    script: dict[str, object] = {"load_seconds": 0.5, "tokens": 2, "tokens_per_second": 2}
    flags = [f"--{name}-timeout=0" for name in ("load", "first-token", "token", "total")]
    assert run(tmp_path, script, *flags).returncode == 0
    assert time.monotonic() - begun > 0.5


@pytest.mark.parametrize("value", ["-1", "nan"])
def test_what_is_no_time_is_a_sentence(tmp_path: Path, value: str) -> None:
    result = run(tmp_path, {}, f"--token-timeout={value}")
    assert result.returncode == 2
    assert "must be a number of seconds more than 0, or 0 for none" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_page_has_the_same_flags() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "comparator", "serve", "--help"], capture_output=True, text=True
    ).stdout
    for name in ("load", "first-token", "token", "total"):
        assert f"--{name}-timeout" in helped
