"""A report is put together, and no broken collector stops it."""

from __future__ import annotations

from comparator.diagnosis.values import (
    LIMITS,
    NOTE,
    PREVENTS,
    Finding,
    ReportPart,
    report_of,
    survived,
)


def finding(severity: str) -> Finding:
    return Finding("engines", severity, f"It {severity}.", "mend it")


def test_a_collector_that_breaks_becomes_a_sentence() -> None:
    def broken() -> ReportPart:
        raise FileNotFoundError("there is no /proc")

    part = survived("processor", broken)
    assert part.facts is None
    (told,) = part.findings
    assert (told.about, told.severity) == ("processor", NOTE)
    assert "FileNotFoundError: there is no /proc" in told.sentence


def test_findings_stand_with_the_worst_first() -> None:
    parts = [
        ("a", ReportPart(1, [finding(NOTE), finding(LIMITS)])),
        ("b", ReportPart(2, [finding(PREVENTS)])),
    ]
    report = report_of(parts)
    assert [f.severity for f in report.findings] == [PREVENTS, LIMITS, NOTE]
    assert report.parts == {"a": 1, "b": 2}


def test_only_what_prevents_an_answer_is_unhealthy() -> None:
    assert report_of([("a", ReportPart(None, [finding(LIMITS), finding(NOTE)]))]).healthy
    assert not report_of([("a", ReportPart(None, [finding(PREVENTS)]))]).healthy


def test_the_record_has_the_parts_beside_the_verdict() -> None:
    record = report_of([("system", ReportPart({"bits": 64}, [finding(LIMITS)]))]).to_record()
    assert list(record) == ["schema", "version", "healthy", "findings", "system"]
    assert record["findings"] == [
        {"about": "engines", "severity": LIMITS, "sentence": "It limits.", "mend": "mend it"}
    ]
