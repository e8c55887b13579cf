"""``show``, ``export`` and ``replay`` as a user runs them, on what real runs have answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from one_core import on_one_core

LIMIT_SECONDS = 280  # of a busy machine


def comparator(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comparator", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        preexec_fn=on_one_core,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one echo model."""
    place = tmp_path_factory.mktemp("models")
    (place / "parrot.echo.json").write_text(json.dumps({"text": "# Hello <b>you</b>"}))
    return place


@pytest.fixture(scope="module")
def comparison(folder: Path, starter_models: dict[str, str]) -> str:
    """The id of a kept comparison of an echo model and a starter model."""
    models = ("-m", str(folder / "parrot.echo.json"), "-m", starter_models["gguf_q4_1"])
    asked = ("-p", "Say hi.", "--max-tokens", "8", "--seed", "3", "-o", "json")
    done = comparator("run", *models, *asked)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first["comparison"] == second["comparison"]
    return str(first["comparison"])


def test_a_comparison_is_shown_and_exported(comparison: str, tmp_path: Path) -> None:
    shown = comparator("show", comparison)
    assert shown.returncode == 0, shown.stderr
    assert "# Hello <b>you</b>" in shown.stdout
    assert comparator("export", comparison[:4], "--to", "csv").stdout.startswith("id,name,")
    page = tmp_path / "page.html"
    done = comparator("export", comparison, "--to", "html", "-f", page)
    assert (done.returncode, done.stdout) == (0, "")
    assert "&lt;b&gt;you&lt;/b&gt;" in page.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [page]


def test_a_file_that_is_there_is_left_as_it_is_unless_told(comparison: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.md"
    file.write_text("mine")
    refused = comparator("export", comparison, "--to", "md", "-f", file)
    assert (refused.returncode, file.read_text()) == (2, "mine")
    assert "--overwrite" in refused.stderr
    assert comparator("export", comparison, "--to", "md", "-f", file, "--overwrite").returncode == 0
    assert file.read_text("utf-8").startswith("# Comparison")


def test_a_comparison_that_is_not_there_is_a_sentence(comparison: str) -> None:
    done = comparator("export", "../x", "--to", "md")
    assert done.returncode == 2
    assert "comparator history" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_card_is_replayed(comparison: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    assert comparator("export", comparison, "--to", "card", "-f", path).returncode == 0
    card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert str(folder) not in path.read_text("utf-8")
    places = ("--models-dir", folder, "--models-dir", "models")

    same = comparator("replay", path, *places)
    assert same.returncode == 0, same.stdout + same.stderr
    assert same.stdout.splitlines()[0] == "A parrot: identical, 3 tokens"
    assert "B SmolLM2" in same.stdout
    assert same.stdout.count("identical") == 2

    missing = comparator("replay", path, "--models-dir", folder)
    assert missing.returncode == 1
    assert "A parrot: identical" in missing.stdout
    assert "is not here" in missing.stdout

    card["slots"] = card["slots"][1:]
    answer = card["slots"][0]["answer"]
    answer["text"] = answer["text"][:-1] + "#"
    card["slots"][0]["engine"]["dtype"] = "another"
    path.write_text(json.dumps(card))
    parted = comparator("replay", path, *places)
    assert parted.returncode == 3, parted.stdout + parted.stderr
    assert "parted at token" in parted.stdout
    assert "Number type: then another, now" in parted.stdout


def test_a_rerun_says_whether_it_repeats_what_was_asked_before(comparison: str) -> None:
    again = comparator("rerun", comparison, "-o", "json")
    assert again.returncode == 0, again.stderr
    (name,) = {record["comparison"] for record in json.loads(again.stdout)}
    shown = comparator("show", name).stdout
    for letter in "AB":
        pair = f"({letter} and {letter} of {comparison})"
        assert f"Same seed twice here: identical {pair}" in shown


def test_what_is_no_card_ends_as_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("[" * 100_000)
    done = comparator("replay", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no whole reproduction card" in done.stderr
    assert "Traceback" not in done.stderr
