"""``comparator suite report``: which form it writes, where to, and what it refuses."""

from __future__ import annotations

import io
import json

import pytest
from kept_suites import kept_suite

from comparator.cli.main import app
from comparator.storage.suites import Suites


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A suite in a store of its own."""
    monkeypatch.setenv("COMPARATOR_DATA_DIR", str(tmp_path / "data"))
    kept = kept_suite(((True, False), (True, None)))
    assert Suites().begin(kept)
    return kept


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(["suite", "report", *words])
    return int(ended.value.code or 0)


def test_a_report_is_markdown_on_standard_output_unless_a_file_is_named(kept, capsys):
    assert run("last") == 0
    told = capsys.readouterr()
    assert told.out.startswith("# Suite small\n")
    assert told.err == ""
    assert run(kept.id[:6], "-f", "-", "--to", "jsonl") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_standard_output_is_utf_8_whatever_the_system_writes_else(kept, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", newline="\r\n"))
    assert run("last", "--to", "csv") == 0
    told = written.getvalue()
    assert b"\r\r\n" not in told
    assert run("last") == 0
    assert "2 prompts × 2 models" in written.getvalue().removeprefix(told).decode()


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.html", "<!doctype html>"), ("A.MD", "# Suite"), ("a.csv", "suite,"), ("a.json", "{"),
     ("a.promptfoo.json", '{\n  "evalId"')],
)  # fmt: skip
def test_the_ending_of_the_file_says_the_form(kept, tmp_path, capsys, name, begins):
    file = tmp_path / name
    assert run("last", "-f", str(file)) == 0
    assert file.read_text("utf-8").startswith(begins)
    assert f"Written to {file}" in capsys.readouterr().err


def test_to_says_the_form_of_any_file(kept, tmp_path):
    file = tmp_path / "results.json"
    assert run("last", "-f", str(file), "--to", "promptfoo") == 0
    assert json.loads(file.read_text("utf-8"))["results"]["version"] == 3


def test_a_file_is_replaced_only_if_that_is_said(kept, tmp_path, capsys):
    file = tmp_path / "a.md"
    file.write_text("mine")
    assert run("last", "-f", str(file)) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert run("last", "-f", str(file), "--overwrite") == 0
    assert file.read_text("utf-8").startswith("# Suite")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("last", "-f", "a.docx"), "'a.docx'"),
        (("last", "-f", "."), "ending"),
        (("ffff", "-f", "a.md"), "'ffff'"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(
    kept, tmp_path, monkeypatch, capsys, words, said
):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
