"""Conversations on the command line: kept, asked on, gone on with, and read from a file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comparator.storage.history import History

LIMIT_SECONDS = 120.0  # of a busy machine
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``comparator run`` on two echo models, with a history of its own."""
    monkeypatch.setenv("COMPARATOR_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "good.echo.json").write_text(json.dumps({"text": "one two three four"}))
    (folder / "dies.echo.json").write_text(json.dumps({"fault": "abort"}))

    def ask(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "comparator", "run", *arguments, "--models-dir", str(folder)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )

    return ask


def records(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_what_was_kept_is_asked_on_and_its_cut_answers_go_on(run: Run) -> None:
    dated = ("--date", "2001-02-03")
    first = run(
        *("-m", "good", "-p", "Count.", "-o", "json", "--max-tokens", "1", "-s", "Be."), *dated
    )
    (one,) = records(first)
    name = one["comparison"]
    assert f"Kept as {name}" in first.stderr
    told = History()
    assert told.get(name).date == "2001-02-03T00:00:00"
    on = run("-c", name[:6], "-p", "And?", "-o", "json", "--set", "1.top_k=7", *dated)
    assert on.returncode == 0, on.stderr
    assert told.get("last").date == "2001-02-03T00:00:00"
    told.close()
    (two,) = records(on)
    roles = [(one["role"], one["content"]) for one in two["prompt"]["messages"]]
    assert roles == [
        ("system", "Be."),
        ("user", "Count."),
        ("assistant", "one "),
        ("user", "And?"),
    ]
    assert (two["config"]["max_tokens"], two["config"]["top_k"]) == (1, 7)
    assert two["comparison"] != name
    gone_on = run("-c", "last", "-o", "json", "--max-tokens", "2")
    (three,) = records(gone_on)
    assert (three["content"], three["prompt"]["continued"]) == ("one two three ", len("one "))
    assert three["prompt"]["messages"] == two["prompt"]["messages"]


def test_who_failed_is_left_out_and_the_exit_code_says_so(run: Run) -> None:
    both = run("-m", "good", "-m", "dies", "-p", "Count.", "-o", "jsonl")
    assert both.returncode == 1
    further = run("-c", "last", "-p", "And?", "-o", "json")
    assert further.returncode == 1
    (record,) = records(further)
    assert record["model"]["name"] == "good"
    assert "dies is left out: it has no answer to go on from" in record["notice"]


def test_nothing_is_kept_where_that_is_not_wanted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = run("-m", "good", "-p", "Count.", "-o", "json", "--no-history")
    assert records(once)[0]["comparison"] is None
    monkeypatch.setenv("COMPARATOR_HISTORY", "off")
    run("-m", "good", "-p", "Count.")
    assert not list(tmp_path.glob("data/history*"))
    refused = run("-c", "last", "-p", "And?")
    assert refused.returncode == 2
    assert "no comparison in the history yet" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_file_or_standard_input_may_have_the_conversation(run: Run, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "Two?"},
    ]
    path = tmp_path / "m.json"
    path.write_text(json.dumps(messages))
    from_file = run("-m", "good", "--messages", str(path), "-o", "json")
    from_input = run("-m", "good", "--messages", "-", "-o", "json", stdin=json.dumps(messages))
    for result in (from_file, from_input):
        assert records(result)[0]["prompt"]["messages"] == messages


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"role": "wizard", "content": "x"}]', "it must be system, user or assistant"),
        ('[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]', "the user's"),
        ("[]", "Type a prompt first"),
        ("not JSON", "is not JSON"),
    ],
)
def test_a_wrong_conversation_is_a_sentence(run: Run, content: str, words: str) -> None:
    result = run("-m", "good", "--messages", "-", stdin=content)
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
