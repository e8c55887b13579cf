"""The whole diagnosis: what the adapters say is in it, and nothing private is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comparator.diagnosis import children, doctor, engines
from comparator.diagnosis.children import ChildTold
from comparator.diagnosis.places import Places
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, Finding

REPOSITORY = Path(__file__).resolve().parents[3]
PARTS = [
    "system", "processor", "memory", "held", "devices", "engines", "sandbox", "trials", "folders",
    "stores", "sources", "models", "versions", "environment", "probes",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that say at once that all is well."""
    told = {"built_with": {}, "gpu_offload": False, "devices": []}
    monkeypatch.setattr(
        children,
        "ask_all",
        lambda questions: {key: ChildTold("on (files)", told) for key in questions},
    )
    monkeypatch.setattr(engines, "_native", lambda library: [])  # those here are large


def test_every_part_is_in_the_report(tmp_path: Path) -> None:
    report = doctor.examine(Places((tmp_path,), ()), with_trial=False)
    assert list(report.parts) == PARTS


def test_what_the_caller_knows_is_a_finding_without_private_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "berta")
    known = Finding("sources", PREVENTS, "berta named /home/berta/x.", "unset berta")
    report = doctor.examine(Places((tmp_path,), ()), with_trial=False, known=[known])
    assert Finding("sources", PREVENTS, " named …/x.", "unset ") in report.findings
    assert not report.healthy


def test_what_an_adapter_found_is_told_with_the_version_that_was_tested() -> None:
    part = doctor.asked_adapters({"gradio": lambda: ["The queue sleeps.", "The log is gone."]})
    assert [finding.sentence for finding in part.findings] == [
        "The queue sleeps.", "The log is gone.",
    ]  # fmt: skip
    assert all(f.severity == LIMITS for f in part.findings)
    assert all(f.mend.startswith("pip install gradio==") for f in part.findings)


def test_an_adapter_that_breaks_is_told_and_the_next_one_is_asked() -> None:
    def broken() -> list[str]:
        raise AttributeError("no sleep_when_free")

    part = doctor.asked_adapters({"gradio": broken, "other": lambda: ["Slow."]})
    assert [(f.severity, f.mend) for f in part.findings] == [
        (NOTE, "Report this with the rest of what 'comparator doctor --json' says."),
        (LIMITS, "pip install --upgrade other"),
    ]


def test_a_broken_part_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise PermissionError("/proc is not there")

    monkeypatch.setattr("psutil.virtual_memory", broken)
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: broken())
    report = doctor.examine(Places((tmp_path,), ()), with_trial=False)
    assert report.parts["memory"] is report.parts["processor"] is None
    assert report.parts["system"]
    told = {f.about for f in report.findings if "PermissionError" in f.sentence}
    assert {"processor", "memory"} <= told


def test_the_page_in_docs_names_every_key(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "doctor.md").read_text("utf-8")
    record = doctor.examine(Places((tmp_path,), ()), with_trial=False).to_record()
    missing = [key for key in _keys(record) if f"`{key}`" not in page]
    assert missing == []


def _keys(value: Any) -> Iterator[str]:
    """Yield every key of a record, except those of tables whose keys are names or settings."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            if key not in ("built_with", "settings", "figures", "by_engine"):
                yield from _keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from _keys(part)
