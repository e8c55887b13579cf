"""What a diagnosis consists of: facts by part, and findings, each with what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import comparator

SCHEMA = 1  # of the JSON; to be raised when a key changes its meaning or goes
PREVENTS, LIMITS, NOTE = "prevents", "limits", "note"
_ORDER = (PREVENTS, LIMITS, NOTE)


@dataclass(frozen=True)
class Finding:
    """One thing that is not at its best.

    Attributes:
        about: the part of the report that it belongs to, such as ``engines``.
        severity: ``prevents`` (an engine cannot answer), ``limits`` (slower, less safe or less
            able than it could be) or ``note`` (worth knowing when something goes wrong).
        sentence: what is so, and what it costs.
        mend: the command that mends it, or what to do.
    """

    about: str
    severity: str
    sentence: str
    mend: str


@dataclass
class ReportPart:
    """What one collector found: facts that JSON can hold, and findings."""

    facts: Any = None
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    """A whole diagnosis: the facts of each part by its name, and what was found in all of them."""

    parts: dict[str, Any]
    findings: list[Finding]

    @property
    def healthy(self) -> bool:
        """Whether nothing keeps an engine from answering."""
        return all(finding.severity != PREVENTS for finding in self.findings)

    def to_record(self) -> dict[str, Any]:
        """Return the report as JSON takes it; ``docs/doctor.md`` lists the keys."""
        return {
            "schema": SCHEMA,
            "version": comparator.__version__,
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            **self.parts,
        }


def survived(about: str, collect: Callable[[], ReportPart]) -> ReportPart:
    """Return what a collector found; where it breaks, a sentence in the place of a traceback."""
    try:
        return collect()
    except Exception as error:
        sentence = f"This part could not be examined: {type(error).__name__}: {error}."
        mend = "Report this with the rest of what 'comparator doctor --json' says."
        return ReportPart(None, [Finding(about, NOTE, sentence, mend)])


def report_of(parts: Iterable[tuple[str, ReportPart]]) -> Report:
    """Put the parts together, the worst findings first."""
    parts = list(parts)
    findings = [finding for _, part in parts for finding in part.findings]
    findings.sort(key=lambda finding: _ORDER.index(finding.severity))
    return Report({name: part.facts for name, part in parts}, findings)
