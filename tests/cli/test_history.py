"""``comparator history`` and ``comparator rerun`` as a user runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import comparator


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMPARATOR_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "good.echo.json").write_text("{}")
    (folder / "dies.echo.json").write_text('{"fault": "sigsegv", "fault_after": 2}')
    return folder


def _run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    models = ("-m", "good", "-m", "dies", "--models-dir", str(folder))
    return comparator("run", *models, "-p", "What is 苹果, a fruit?", *more)


def _history(*words: str) -> list[dict[str, Any]]:
    listed = comparator("history", *words, "--json")
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return found


def _records(answer: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_a_run_is_kept_found_asked_once_more_and_removed(folder: Path) -> None:
    assert "No comparison is kept yet" in comparator("history").stdout
    first = _records(_run(folder, "-o", "jsonl"))
    (entry,) = _history("苹果", "FRUIT")
    assert {record["comparison"] for record in first} == {entry["id"]}
    assert entry["states"] == ["done", "failed"]
    lines = comparator("history").stdout.splitlines()
    assert lines[0].startswith(entry["id"])
    assert lines[0].endswith("What is 苹果, a fruit?")
    assert lines[1].strip() == "good (done), dies (failed)"
    assert "No comparison has 'pear'" in comparator("history", "pear").stdout

    again = comparator("rerun", entry["id"][:6], "--models-dir", str(folder), "-o", "jsonl")
    assert again.returncode == 1  # one of its models dies
    second = _records(again)
    for name in ("config", "config_sources"):
        assert [record[name] for record in second] == [record[name] for record in first]
    assert [record["content"] for record in second] == [record["content"] for record in first]
    assert [one["parent"] for one in _history()] == [entry["id"], None]

    newest = _history()[0]["id"]
    removed = comparator("history", "remove", newest, "ffffffff")
    assert (removed.returncode, removed.stdout) == (2, f"removed {newest}\n")
    assert "no comparison ffffffff" in removed.stderr
    assert [one["id"] for one in _history()] == [entry["id"]]


def test_what_is_pinned_says_so_until_it_is_unpinned(folder: Path) -> None:
    _run(folder)
    (entry,) = _history()
    pinned = comparator("history", "pin", entry["id"][:6], "ffffffff")
    assert (pinned.returncode, pinned.stdout) == (2, f"pinned {entry['id'][:6]}\n")
    assert "no comparison ffffffff" in pinned.stderr
    assert comparator("history").stdout.splitlines()[0].endswith("pinned")
    assert _history()[0]["is_pinned"] is True
    assert comparator("history", "unpin", "last").stdout == "unpinned last\n"
    assert _history()[0]["is_pinned"] is False
    assert "No comparison has 'pin'" in comparator("history", "pin").stdout, "one word is searched"


def test_nothing_is_kept_where_that_is_not_wanted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record, _) = _records(_run(folder, "--no-history", "-o", "jsonl"))
    assert record["comparison"] is None
    monkeypatch.setenv("COMPARATOR_HISTORY", "off")
    (record, _) = _records(_run(folder, "-o", "jsonl"))
    assert record["comparison"] is None
    assert "COMPARATOR_HISTORY is off" in comparator("history").stdout


def test_what_cannot_be_asked_again_is_a_sentence(folder: Path) -> None:
    unknown = comparator("rerun", "last", "--models-dir", str(folder))
    assert unknown.returncode == 2
    assert "history" in unknown.stderr
    _run(folder)
    for name in ("good", "dies"):
        (folder / f"{name}.echo.json").unlink()
    gone = comparator("rerun", "last", "--models-dir", str(folder))
    assert gone.returncode == 2
    assert "good is left out: its model is gone" in gone.stderr
    assert "Traceback" not in gone.stderr


def test_a_history_of_a_later_version_fails_no_run(folder: Path, tmp_path: Path) -> None:
    import sqlite3

    place = tmp_path / "data" / "history.sqlite3"
    place.parent.mkdir()
    connection = sqlite3.connect(place)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = place.read_bytes()
    answer = _run(folder)
    assert "What is 苹果, a fruit?" in answer.stdout
    assert "later version" in answer.stderr
    listed = comparator("history")
    assert listed.returncode == 1
    assert "later version" in listed.stderr
    assert place.read_bytes() == before
