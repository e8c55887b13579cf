"""The tables, and that the documents hold exactly those of the recorded run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import readme, suite, tables
from benchmarks.company import BARE_LOOP, BY_HAND, PAGE
from benchmarks.record import Record
from benchmarks.targets import verdicts
from comparator.core.exceptions import ConfigurationError


@pytest.fixture
def result() -> dict[str, Any]:
    record = Record()
    for ours, theirs in ((100.0, 101.0), (120.04, 119.0), (90.0, 100.0)):
        record.add("decode", "decode", PAGE, ours, "GGUF Q4_1")
        record.add("decode", "decode", BARE_LOOP, theirs, "GGUF Q4_1")
    return {
        "began": "2030-01-02T03:04:05+00:00",
        "quick": False,
        "scenarios": ["decode"],
        "machine": {
            "cores": 2,
            "processor": "A Processor",
            "ram_limit_bytes": 8e9,
            "system": "Linux",
            "python": "3.11.0",
        },
        "versions": {"torch": "2.13.0", "xllamacpp": None},
        "settings": {"repeats": 3, "short_repeats": 5, "decode_repeats": 24, "tokens": 128},
        "missing": {"a server": "It is not installed."},
        "notes": ["The machine was busy."],
        "targets": [verdict.to_record() for verdict in verdicts(record, ("decode",))],
        "series": record.to_records(),
    }


def test_the_tables_know_every_scenario() -> None:
    assert tuple(suite.SCENARIOS) == tables.SCENARIOS


def test_rounds_that_were_thrown_away_are_counted() -> None:
    told = tables.remarks({"missing": {}, "notes": [], "thrown_away": {"decode, Q4_1": 2}})
    assert "something else had the processor: decode, Q4_1: 2." in told
    assert tables.remarks({"missing": {}, "notes": [], "thrown_away": {}}) == ""


def test_the_report_holds_machine_targets_values_and_what_was_missing(
    result: dict[str, Any],
) -> None:
    report = tables.report(result)
    assert "2 cores of A Processor, 8 GB" in report
    assert "torch 2.13.0" in report
    assert "xllamacpp" not in report.split("|")[0]
    assert (
        "| decode: decode, GGUF Q4_1 | comparator, page | bare llama.cpp loop "
        "| 0.99 (0.90 to 1.01) | ≥ 0.98 | yes |" in report
    )
    assert (
        "|  | comparator, page | bare llama.cpp loop |\n"
        "| --- | ---: | ---: |\n"
        "| decode, GGUF Q4_1, tok/s | 100.0 (90.0 to 120.0) | 101.0 (100.0 to 119.0) |" in report
    )
    assert "not measured" in report  # the server's target
    assert "- Missing: a server. It is not installed." in report
    assert "- The machine was busy." in report


def test_a_table_is_one_with_the_same_cells_in_every_row(result: dict[str, Any]) -> None:
    record = Record()
    record.add("commands", "duration", "one", 1.0)
    record.add("commands", "duration", "two", 2.0)
    record.add("commands", "answer", "two", 33)
    more = tables.values_tables(record.to_records())
    assert "| two | 2.000 (2.000 to 2.000) | 33 (33 to 33) |" in more
    for text in (
        tables.targets_table(result["targets"]),
        tables.values_tables(result["series"]),
        more,
    ):
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) == 1


def test_a_section_replaces_only_what_is_between_the_markers(result: dict[str, Any]) -> None:
    before = f"# Title\n\n{tables.benchmarks_section(None)}\n\n## After\n"
    after = tables.with_section(before, tables.benchmarks_section(result))
    assert after.startswith(f"# Title\n\n{tables.BEGIN}\n")
    assert after.endswith(f"{tables.END}\n\n## After\n")
    assert tables.NOT_YET not in after
    assert tables.with_section(after, tables.benchmarks_section(None)) == before


def test_a_page_without_markers_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no section"):
        tables.with_section("# Title\n", tables.benchmarks_section(None))


def test_readme_has_five_rows_with_the_median_of_each_contender(result: dict[str, Any]) -> None:
    record = Record()
    for value in (8.0, 8.94, 9.5):
        record.add("comparison", "wall", PAGE, value)
    record.add("comparison", "wall", BY_HAND, 15.6)
    record.add("comparison", "decode", PAGE, 47.14, "PyTorch")
    record.add("comparison", "decode", PAGE, 120.0, "GGUF Q4_1")
    section = readme.section({**result, "series": record.to_records()})
    head, _marks, *rows = [line for line in section.splitlines() if line.startswith("|")]
    assert head.startswith("|  | this comparator, its page | by hand, one process |")
    assert rows[0] == "| four models one after another, s | 8.94 | 15.60 |  |  |"
    assert rows[2] == "| writing, transformers model, tok/s | 47.1 |  |  |  |"
    assert len(rows) == 5
    assert "2030-01-02: 2 cores of A Processor, no GPU" in section
    assert "128 tokens each" in section


def test_readme_does_not_say_that_there_was_no_gpu_where_one_was_measured(
    result: dict[str, Any],
) -> None:
    record = Record()
    record.add("memory", "peak_device", PAGE, 512.0)
    assert "no GPU" not in readme.section({**result, "series": record.to_records()})


def test_the_page_of_benchmarks_has_every_series_of_the_run(result: dict[str, Any]) -> None:
    section = tables.benchmarks_section(result)
    assert tables.targets_table(result["targets"]) in section
    assert tables.values_tables(result["series"]) in section
    assert tables.remarks(result) in section


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A checkout's pages and results, all empty, in the place of the real ones."""
    made = {"README": readme.section(None), "BENCHMARKS": tables.benchmarks_section(None),
            "SPEED": tables.limits_section(None, None)}  # fmt: skip
    paths = {name: tmp_path / f"{name}.md" for name in made}
    (tmp_path / "pyproject.toml").touch()
    for name, section in made.items():
        paths[name].write_text(f"# Title\n\n{section}\n", "utf-8")
        monkeypatch.setattr(suite, name, paths[name])
    monkeypatch.setattr(suite, "RESULTS", tmp_path)
    return paths


def test_a_recorded_run_goes_into_the_pages_by_the_command(
    tmp_path: Path, pages: dict[str, Path], result: dict[str, Any]
) -> None:
    part = suite.write(result, tmp_path)
    assert part.name == "decode.json"
    suite.update_readme()  # a part of the suite is no whole run
    assert all(tables.NOT_YET in page.read_text("utf-8") for page in pages.values())
    whole = suite.write({**result, "scenarios": list(suite.SCENARIOS)}, tmp_path)
    assert whole.name == suite.WHOLE
    suite.update_readme()
    assert not any(tables.NOT_YET in page.read_text("utf-8") for page in pages.values())
    assert "0.99 (0.90 to 1.01)" in pages["BENCHMARKS"].read_text("utf-8")
    assert "this comparator, its page" in pages["README"].read_text("utf-8")


def test_a_scenario_that_is_newer_than_the_recorded_run_is_added_to_it_and_said(
    tmp_path: Path, pages: dict[str, Path], result: dict[str, Any]
) -> None:
    older = [name for name in suite.SCENARIOS if name != "decode"]
    (tmp_path / suite.WHOLE).write_text(
        json.dumps({**result, "scenarios": older, "series": [], "targets": []})
    )
    suite.update_readme()
    assert "0.99 (0.90 to 1.01)" not in pages["BENCHMARKS"].read_text("utf-8")
    suite.write({**result, "notes": ["It is so."]}, tmp_path)
    suite.update_readme()
    page = pages["BENCHMARKS"].read_text("utf-8")
    assert "0.99 (0.90 to 1.01)" in page
    assert "- decode was measured by itself, on 2030-01-02 on 2 cores of A Processor." in page
    assert "- It is so." in page
    suite.write({**result, "scenarios": list(suite.SCENARIOS)}, tmp_path)
    assert suite.latest() == json.loads((tmp_path / suite.WHOLE).read_text())


@pytest.mark.parametrize("name", ["README", "BENCHMARKS", "SPEED"])
def test_a_page_that_lost_its_markers_is_named(pages: dict[str, Path], name: str) -> None:
    pages[name].write_text("# Title\n", "utf-8")
    with pytest.raises(ConfigurationError, match=rf"{name}\.md: .*Put both lines back"):
        suite.update_readme()


def test_readme_holds_the_rows_of_the_recorded_run() -> None:
    """Nobody types a result: after a run, ``comparator bench --readme`` does it."""
    page = suite.README.read_text("utf-8")
    assert tables.with_section(page, readme.section(suite.latest())) == page


def test_the_page_of_benchmarks_holds_the_tables_of_the_recorded_run() -> None:
    page = suite.BENCHMARKS.read_text("utf-8")
    assert tables.with_section(page, tables.benchmarks_section(suite.latest())) == page


def test_the_page_on_limits_holds_the_recorded_figures() -> None:
    page = suite.SPEED.read_text("utf-8")
    section = tables.limits_section(suite.latest(), suite.profile())
    assert tables.with_section(page, section) == page


def test_a_profile_becomes_a_table_a_model() -> None:
    profile = {"models": {"GGUF": {"libggml.so: dot": 0.651, "libgomp.so": 0.12}}}
    section = tables.limits_section(None, profile)
    assert "**GGUF**" in section
    assert "| libggml.so: dot | 65.1% |" in section
