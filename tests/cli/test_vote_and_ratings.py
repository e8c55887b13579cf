"""``comparator vote`` and ``comparator ratings`` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from made_suites import suite_of

from comparator.storage.kept_suite import JudgeVerdict
from comparator.storage.suites import Suites
from tests.cli.test_commands import comparator


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMPARATOR_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "one.echo.json").write_text("{}")
    (folder / "two.echo.json").write_text('{"tokens": 3}')
    (folder / "dies.echo.json").write_text('{"fault": "sigsegv", "fault_after": 2}')
    return folder


def _ask(folder: Path, *models: str) -> None:
    wanted = [word for model in models for word in ("-m", model)]
    comparator("run", *wanted, "--models-dir", str(folder), "-p", "Why is it so?")


def test_a_vote_is_kept_replaced_counted_and_taken_away(folder: Path, tmp_path: Path) -> None:
    assert "No votes yet" in comparator("ratings").stdout
    nothing = comparator("vote", "last", "A")
    assert nothing.returncode == 2
    assert "no comparison in the history yet" in nothing.stderr

    _ask(folder, "one", "two", "dies")
    voted = comparator("vote", "last", "a")
    assert voted.returncode == 0, voted.stderr
    assert "of one, two, one is the best" in voted.stdout
    assert "Columns without a whole answer have no part in it: 1." in voted.stdout
    assert "Column C failed or was stopped" in comparator("vote", "last", "C").stderr
    again = comparator("vote", "last", "B")
    assert "It takes the place of your earlier vote: one is the best." in again.stdout

    ratings = comparator("ratings", "--json")
    told = json.loads(ratings.stdout)
    assert [one["name"] for one in told["ratings"]] == ["two", "one"]
    assert told["votes"] == 1
    assert len(told["ratings"][0]["configuration"]) == 64
    by_model = json.loads(comparator("ratings", "--by", "model", "--json").stdout)
    assert by_model["ratings"][0]["configuration"] != told["ratings"][0]["configuration"]
    assert "Not enough to tell two from one" in comparator("ratings").stdout

    log = tmp_path / "log.jsonl"
    assert comparator("ratings", "export", "-f", str(log)).returncode == 0
    (line,) = map(json.loads, log.read_text("utf-8").splitlines())
    assert line["type"] == "rightvote"
    assert line["states"][0]["messages"][0] == ["user", "Why is it so?"]
    assert comparator("ratings", "export", "-f", str(log)).returncode == 2  # it is there already


def test_a_log_is_read_once_with_what_is_wrong_in_it_and_nonsense_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    votes = [
        {"type": "leftvote", "models": ["alpha", "beta"], "tstamp": when, "states": []}
        for when in range(3)
    ]
    log.write_text("\n".join([*map(json.dumps, votes), "nonsense", '{"type": "chat"}']))
    first = comparator("ratings", "import", str(log))
    assert first.returncode == 0
    assert "3 votes on 2 models." in first.stdout
    assert "1 line cannot be understood (number 4); 1 tells of something else" in first.stderr
    assert (
        "0 votes on 2 models; 3 were there already"
        in comparator("ratings", "import", str(log)).stdout
    )
    assert comparator("ratings").stdout.splitlines()[1].split()[-1] == "alpha"

    log.write_text("nonsense\n")
    refused = comparator("ratings", "import", str(log))
    assert refused.returncode == 2
    assert "has no vote of two models" in refused.stderr
    assert comparator("ratings", "import").returncode == 2


def test_a_judges_verdicts_are_rated_apart_from_votes(folder: Path, tmp_path: Path) -> None:
    kept = suite_of(["u"] * 9, ["u"] * 9)
    verdicts = [JudgeVerdict(prompt, 0, 0, 1, "b") for prompt in range(9)]
    judge = {"label": "the judge", "is_refused": False, "sentences": []}
    store = Suites(tmp_path / "data" / "suites.sqlite3")
    assert store.begin(msgspec.structs.replace(kept, verdicts=verdicts, judge=judge))
    store.close()
    told = comparator("ratings", "--judge", "last")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[1].split()[-1] == "m1"
    assert "verdicts of the judge in suite" in told.stdout
    assert "No votes yet" in comparator("ratings").stdout
    assert comparator("ratings", "--judge", "gone").returncode == 2
