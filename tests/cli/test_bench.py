"""``comparator bench``: what it prints, writes and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KEYS = {
    "schema", "began", "seconds", "scenario_seconds", "scenarios", "quick", "machine", "versions",
    "settings", "thrown_away", "missing", "notes", "targets", "series",
}  # fmt: skip
MACHINE = {
    "cores", "physical_cores", "processor", "ram_bytes", "ram_limit_bytes", "cpu_quota", "system",
    "python", "load_before",
}  # fmt: skip
SERIES = {
    "scenario", "measure", "contender", "model", "values", "unit", "median", "least", "most",
}  # fmt: skip
TARGET = {
    "scenario", "measure", "ours", "peer", "limit", "at_most", "engine", "model", "median",
    "least", "most", "met", "unit",
}  # fmt: skip


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comparator", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.slow
def test_a_quick_run_prints_markdown_and_writes_every_value(
    tmp_path: Path, starter_models_dir: Path
) -> None:
    done = bench(
        "page", "--quick", "--results", str(tmp_path), "--models-dir", str(starter_models_dir)
    )
    assert done.returncode == 0, done.stderr
    assert "| Target | Ours | Divided by | Measured | Limit | Met |" in done.stdout
    assert "page: round 1 of 1" in done.stderr
    (file,) = tmp_path.iterdir()
    assert file.name == "page-quick.json"
    result = json.loads(file.read_text("utf-8"))
    assert set(result) == KEYS
    assert result["schema"] == 1
    assert set(result["machine"]) == MACHINE
    assert (result["scenarios"], result["quick"]) == (["page"], True)
    assert all(set(series) == SERIES for series in result["series"])
    assert all(set(target) == TARGET for target in result["targets"])
    assert [target["measure"] for target in result["targets"]] == [
        "page_cpu", "delay_p95", "page_cpu", "delay_p95",
        "update_bytes_growth", "update_cpu_growth",
    ]  # fmt: skip
    assert all(target["met"] is not None for target in result["targets"])
    assert len(next(s for s in result["series"] if s["measure"] == "page_cpu")["values"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["beauty", "--models-dir", "STARTER"],
            2,
            "There is no scenario 'beauty'. There are: start, comparison",
        ),
        (
            ["page", "--repeats", "0", "--models-dir", "STARTER"],
            2,
            "--repeats must be at least 1, not 0.",
        ),
        (["page", "--models-dir", "EMPTY"], 1, "'comparator starter' puts them there."),
    ],
)
def test_a_wrong_request_is_a_sentence(
    tmp_path: Path, starter_models_dir: Path, arguments: list[str], code: int, words: str
) -> None:
    results, folders = tmp_path / "results", {"EMPTY": tmp_path, "STARTER": starter_models_dir}
    filled = [str(folders.get(word, word)) for word in arguments]
    done = bench("--results", str(results), *filled)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not results.exists()
