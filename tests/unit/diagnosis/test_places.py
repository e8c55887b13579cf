"""Folders, stores, sources and the number of models."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from comparator.diagnosis import places
from comparator.diagnosis.places import Places
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, ReportPart
from comparator.storage import database


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cache", "data"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"COMPARATOR_{name.upper()}_DIR", str(tmp_path / name))


@pytest.fixture
def asked(tmp_path: Path) -> Places:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "one.echo.json").write_text(json.dumps({}))
    return Places((folder,), ())


def kept(path: Path, version: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"CREATE TABLE t (x); PRAGMA user_version = {version};")


def told(part: ReportPart) -> list[tuple[str, str, str]]:
    return [(f.severity, f.sentence, f.mend) for f in part.findings]


def test_good_folders_need_nothing_and_only_the_models_folder_is_told_by_path(
    asked: Places,
) -> None:
    part = places.folders(asked)
    assert part.findings == []
    assert [(f["role"], f["path"]) for f in part.facts] == [
        ("models", str(asked.models_dirs[0])), ("data", None), ("cache", None), ("temporary", None),
    ]  # fmt: skip
    assert {f["set_by"] for f in part.facts[1:3]} == {"COMPARATOR_DATA_DIR", "COMPARATOR_CACHE_DIR"}
    assert all(f["writable"] for f in part.facts)


def test_looking_leaves_no_file(asked: Places) -> None:
    before = sorted(asked.models_dirs[0].iterdir())
    places.folders(asked)
    assert sorted(asked.models_dirs[0].iterdir()) == before


def test_a_cache_that_cannot_be_written_is_told_with_its_variable(
    asked: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COMPARATOR_CACHE_DIR", str(tmp_path / "file" / "cache"))
    ((severity, sentence, mend),) = told(places.folders(asked))
    assert severity == LIMITS
    assert "The cache folder cannot be written to" in sentence
    assert "export COMPARATOR_CACHE_DIR=" in mend


def test_a_models_folder_that_is_a_file_prevents_answers(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    asked = Places((tmp_path / "models",), ())
    ((severity, sentence, mend),) = told(places.folders(asked))
    assert (severity, sentence) == (PREVENTS, "The models folder is not a folder.")
    assert "--models-dir FOLDER" in mend


def test_nobody_is_told_to_bring_models_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    part, found = places.models(Places((tmp_path / "file",), ()))
    assert (part.findings, found) == ([], [])


def test_a_models_folder_of_the_environment_is_mended_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").touch()
    monkeypatch.setenv("COMPARATOR_MODELS_DIR", str(tmp_path / "models"))
    ((_, _, mend),) = told(places.folders(Places((tmp_path / "models",), ())))
    assert mend.startswith("export COMPARATOR_MODELS_DIR=")


def test_stores_are_good_missing_or_damaged(tmp_path: Path) -> None:
    kept(tmp_path / "cache" / "facts.sqlite3", 3)
    (tmp_path / "cache" / "digests.sqlite3").write_bytes(b"no database" * 1000)
    (tmp_path / "data" / "measurements.sqlite3.broken-20260101-000000").touch()
    part = places.stores()
    states = {fact["name"]: (fact["state"], fact["version"]) for fact in part.facts}
    assert states == {
        "facts.sqlite3": ("good", 3),
        "digests.sqlite3": ("damaged", None),
        "checks.sqlite3": ("missing", None),
        "trials.sqlite3": ("missing", None),
        "measurements.sqlite3": ("missing", None),
        "history.sqlite3": ("missing", None),
        "suites.sqlite3": ("missing", None),
        "votes.sqlite3": ("missing", None),
    }
    damaged, aside = part.findings
    assert damaged.mend == "Remove digests.sqlite3 from the cache folder."
    assert (aside.severity, "measurements.sqlite3.broken-" in aside.mend) == (NOTE, True)


PRECIOUS = ["history.sqlite3", "suites.sqlite3", "votes.sqlite3"]


@pytest.mark.parametrize("name", PRECIOUS)
def test_nobody_is_told_to_remove_what_cannot_be_had_again(tmp_path: Path, name: str) -> None:
    (tmp_path / "data" / name).write_bytes(b"no database at all" * 100)
    (told_of,) = told(places.stores())
    assert f"{name} in the data folder is damaged" in told_of[1]
    assert "copy it first" in told_of[2]


@pytest.mark.parametrize("name", PRECIOUS)
def test_what_a_later_version_has_kept_is_told(tmp_path: Path, name: str) -> None:
    kept(tmp_path / "data" / name, 99)
    (later,) = places.stores().findings
    assert later.sentence.startswith(f"{name} is of a later version (99")


def test_a_store_that_another_program_holds_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    path = tmp_path / "cache" / "facts.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        (state,) = {f["state"] for f in places.stores().facts if f["name"] == "facts.sqlite3"}
    finally:
        holder.close()
    assert state == "unreadable"


def test_a_history_of_a_later_version_and_one_that_is_off_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path / "data" / "history.sqlite3", 99)
    (later,) = places.stores().findings
    assert "later version (99" in later.sentence
    assert "COMPARATOR_DATA_DIR" in later.mend
    (tmp_path / "data" / "history.sqlite3").unlink()
    monkeypatch.setenv("COMPARATOR_HISTORY", "off")
    (off,) = places.stores().findings
    assert (off.severity, off.mend) == (NOTE, "unset COMPARATOR_HISTORY")
    monkeypatch.setenv("COMPARATOR_HISTORY_DAYS", "soon")
    (wrong,) = places.stores().findings
    assert "COMPARATOR_HISTORY_DAYS must be a number" in wrong.sentence


def test_looking_at_a_store_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "facts.sqlite3"
    kept(path, 1)
    before = path.read_bytes()
    places.stores()
    assert path.read_bytes() == before


def test_models_are_counted_and_not_named(asked: Places) -> None:
    (asked.models_dirs[0] / "broken.safetensors").touch()
    part, found = places.models(asked)
    assert part.facts == {"total": len(found), "loadable": 1, "by_engine": {"echo": 1}}
    assert places.sources(asked, found).facts[0]["models"] == len(found)
    assert [f.severity for f in part.findings] == ([NOTE] if len(found) > 1 else [])


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_without_a_model_the_command_that_brings_some_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    part, _ = places.models(Places((tmp_path / name,), ()))
    (finding,) = part.findings
    assert (finding.severity, finding.mend) == (PREVENTS, "comparator starter")


def test_one_missing_folder_beside_a_good_one_only_limits(asked: Places, tmp_path: Path) -> None:
    part, _ = places.models(Places((*asked.models_dirs, tmp_path / "gone"), ()))
    (finding,) = part.findings
    assert finding.severity == LIMITS
    assert str(tmp_path / "gone") in finding.sentence


def test_sources_that_are_off_are_told_as_off(asked: Places) -> None:
    part = places.sources(Places(asked.models_dirs, ("ollama",)), [])
    assert [f["key"] for f in part.facts if f["on"]] == ["folder", "ollama"]
