"""Versions beside what was tested and what is allowed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from comparator.diagnosis import versions
from comparator.diagnosis.values import LIMITS, NOTE

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """What pip would say is installed; our own metadata asks for alpha and beta."""
    table: dict[str, str] = {}
    pins = tmp_path / "constraints.txt"
    pins.write_text("# tested\nalpha==1.2.0\nbeta==2.0 ; python_version >= '3.11'\ngguf==0.19.0\n")
    monkeypatch.setattr(versions, "_PLACES", (tmp_path / "none", pins))
    wanted = ["alpha>=1.1", "beta<3,>=2.0", 'gguf>=0.17; extra == "starter"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)

    def version(name: str) -> str:
        if name not in table:
            raise importlib.metadata.PackageNotFoundError(name)
        return table[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return table


def test_what_is_as_tested_needs_nothing(installed: dict[str, str]) -> None:
    installed.update(alpha="1.2.0+cpu", beta="2.0")
    part = versions.versions()
    assert part.findings == []
    assert [(fact["name"], fact["is_tested"], fact["is_allowed"]) for fact in part.facts] == [
        ("alpha", True, True),
        ("beta", True, True),
    ]


def test_other_versions_are_one_note_with_one_command(installed: dict[str, str]) -> None:
    installed.update(alpha="1.3", beta="2.1", gguf="0.20.0")
    (finding,) = versions.versions().findings
    assert finding.severity == NOTE
    assert "alpha 1.3 (1.2.0), beta 2.1 (2.0), gguf 0.20.0 (0.19.0)" in finding.sentence
    assert finding.mend == "pip install alpha==1.2.0 beta==2.0 gguf==0.19.0"


def test_a_version_that_is_not_allowed_is_told_with_its_bounds(installed: dict[str, str]) -> None:
    installed.update(alpha="1.0", beta="2.0")
    worst = versions.versions().findings[0]
    assert (worst.severity, worst.mend) == (LIMITS, "pip install 'alpha>=1.1'")
    assert "1.0 is installed" in worst.sentence


def test_a_package_that_is_missing_is_told(installed: dict[str, str]) -> None:
    installed.update(alpha="1.2.0")
    (finding,) = versions.versions().findings
    assert (finding.severity, finding.mend) == (LIMITS, "pip install 'beta<3,>=2.0'")


def test_without_our_own_metadata_nothing_breaks(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", unknown)
    assert versions.versions().findings == []


def test_a_checkout_reads_its_own_constraints() -> None:
    tested = versions.tested_versions()
    assert f"torch=={tested['torch']}" in (REPOSITORY / "constraints.txt").read_text("utf-8")
    assert len(tested) > 50


def test_a_wheel_carries_the_constraints_where_they_are_looked_for() -> None:
    settings = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    assert '"constraints.txt" = "comparator/_constraints.txt"' in settings
    assert versions._PLACES[0] == REPOSITORY / "comparator" / "_constraints.txt"
