"""The command line tells thoughts apart from answers, hides them, and refuses in words."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT_SECONDS = 280  # of a busy machine
TEXT = "<think>First \x1b[2J the plan.</think>The answer."


@pytest.fixture
def thinker(tmp_path: Path) -> list[str]:
    """Return the command that asks an echo model which thinks."""
    (tmp_path / "thinker.echo.json").write_text(json.dumps({"text": TEXT}))
    run = [sys.executable, "-m", "comparator", "run", "-m", "thinker", "-p", "q"]
    return [*run, "--models-dir", str(tmp_path)]


def ran(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)


def test_people_read_the_thought_apart_from_the_answer_or_not_at_all(thinker: list[str]) -> None:
    told = ran(thinker).stdout
    assert "[thought for " in told
    assert "\n> First \\x1b[2J the plan.\n\nThe answer.\n---" in told
    hidden = ran([*thinker, "--no-thinking"]).stdout
    assert hidden.startswith("=== thinker (echo) ===\nThe answer.\n---")
    assert "plan" not in hidden


def test_a_machine_reads_it_in_a_field_of_its_own(thinker: list[str]) -> None:
    record = json.loads(ran([*thinker, "-o", "jsonl", "--no-thinking"]).stdout)
    assert record["content"] == "The answer."
    assert record["thinking"]["text"] == "First \x1b[2J the plan."
    assert 0 < record["thinking"]["tokens"] < record["stats"]["token_count"]
    stats = record["stats"]
    assert stats["time_to_first_token"] <= stats["time_to_first_answer_token"]
    assert record["config"]["thinking"] == "auto"


@pytest.mark.parametrize(
    "wish", [["--set", "1.thinking=off"], ["--thinking", "auto", "--reasoning-effort", "low"]]
)
def test_what_the_template_does_not_know_is_refused_in_words(
    thinker: list[str], wish: list[str]
) -> None:
    done = ran([*thinker, *wish, "-o", "json"])
    (record,) = json.loads(done.stdout)
    assert (done.returncode, record["error_kind"]) == (1, "configuration")
    assert "does not know" in record["error"]
    assert "Traceback" not in done.stderr


def test_a_terminal_shows_it_dimmed(thinker: list[str]) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        thinker, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.wait(LIMIT_SECONDS) == 0
    os.close(ours)
    text = shown.decode()
    assert "\x1b[2mFirst \\x1b[2J the plan." in text
    assert "\x1b[2mThe answer" not in text
    assert "The answer." in text
