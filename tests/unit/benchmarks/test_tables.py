"""The tables, and that README holds exactly those of the recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import suite, tables
from benchmarks.company import BARE_LOOP, PAGE
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
    before = f"# Title\n\n{tables.readme_section(None)}\n\n## After\n"
    after = tables.with_section(before, tables.readme_section(result))
    assert after.startswith(f"# Title\n\n{tables.BEGIN}\n")
    assert after.endswith(f"{tables.END}\n\n## After\n")
    assert tables.NOT_YET not in after
    assert tables.with_section(after, tables.readme_section(None)) == before


def test_a_readme_without_markers_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no section"):
        tables.with_section("# Title\n", tables.readme_section(None))


def test_a_recorded_run_goes_into_readme_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: dict[str, Any]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{tables.readme_section(None)}\n", "utf-8")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(suite, "README", readme)
    speed = tmp_path / "speed.md"
    speed.write_text(f"{tables.limits_section(None, None)}\n", "utf-8")
    monkeypatch.setattr(suite, "SPEED", speed)
    monkeypatch.setattr(suite, "RESULTS", tmp_path)
    part = suite.write(result, tmp_path)
    assert part.name == "decode.json"
    suite.update_readme()
    assert tables.NOT_YET in readme.read_text("utf-8")  # a part of the suite is no whole run
    whole = suite.write({**result, "scenarios": list(suite.SCENARIOS)}, tmp_path)
    assert whole.name == suite.WHOLE
    suite.update_readme()
    assert "0.99 (0.90 to 1.01)" in readme.read_text("utf-8")
    readme.write_text("# Title\n", "utf-8")
    with pytest.raises(ConfigurationError, match="Put both lines back"):
        suite.update_readme()


def test_readme_holds_the_tables_of_the_recorded_run() -> None:
    """Nobody types a result: after a run, ``comparator bench --readme`` does it."""
    readme = suite.README.read_text("utf-8")
    assert tables.with_section(readme, tables.readme_section(suite.latest())) == readme


def test_the_page_on_limits_holds_the_recorded_figures() -> None:
    page = suite.SPEED.read_text("utf-8")
    section = tables.limits_section(suite.latest(), suite.profile())
    assert tables.with_section(page, section) == page


def test_a_profile_becomes_a_table_a_model() -> None:
    profile = {"models": {"GGUF": {"libggml.so: dot": 0.651, "libgomp.so": 0.12}}}
    section = tables.limits_section(None, profile)
    assert "**GGUF**" in section
    assert "| libggml.so: dot | 65.1% |" in section
