"""What trials have found is told with the command that mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comparator.comparison.engine_trials.trial_job import NotTried, Tried
from comparator.comparison.engine_trials.trials import Trials
from comparator.diagnosis import trials
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, ReportPart
from comparator.storage.digests import Digests
from comparator.storage.trial_verdicts import Failure, TrialVerdicts

Level = dict[str, Any]


class Machine:
    """A machine on which levels up to a number die by SIGSEGV, and which counts trials."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dying = 0
        self.refuses = ""
        self.tried: list[str] = []

    def examined(self, with_trial: bool = True) -> ReportPart:
        known = Trials(
            TrialVerdicts(self.folder / "trials"), Digests(self.folder / "digests"), self._try
        )
        return trials.trials(with_trial, known)

    def _try(self, kind: str, library: str, settings: Level, _should_stop: object) -> Tried:
        self.tried.append(kind)
        if self.refuses:
            raise NotTried(self.refuses)
        if len([one for one in self.tried if one == kind]) <= self.dying:
            return Tried(Failure(died="SIGSEGV"))
        return Tried(chosen=settings, figures={"decode": 1.0})


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(
        "comparator.comparison.engine_trials.builds.native_files", lambda library: []
    )
    return Machine(tmp_path)


def states(part: ReportPart) -> dict[str, str]:
    return {fact["engine"]: fact["state"] for fact in part.facts}


def test_a_missing_trial_is_made_and_kept(machine: Machine) -> None:
    part = machine.examined()
    assert states(part) == {"gguf": trials.BEST, "pytorch": trials.BEST}
    assert part.findings == []
    assert machine.tried == ["gguf", "pytorch"]
    machine.examined()
    assert machine.tried == ["gguf", "pytorch"]


def test_without_a_trial_nothing_is_tried_and_that_is_told(machine: Machine) -> None:
    part = machine.examined(with_trial=False)
    assert machine.tried == []
    assert states(part) == {"gguf": trials.UNTRIED, "pytorch": trials.UNTRIED}
    assert {(f.severity, f.mend.split(",")[0]) for f in part.findings} == {
        (NOTE, "comparator doctor")
    }
    assert trials.answered_for(part) == []


def test_what_is_off_is_told_with_the_command_of_its_sentence(machine: Machine) -> None:
    machine.dying = 1
    part = machine.examined()
    assert states(part) == {"gguf": trials.OFF, "pytorch": trials.OFF}
    gguf, pytorch = part.findings
    assert gguf.severity == pytorch.severity == LIMITS
    assert "SIGSEGV" in gguf.sentence
    assert gguf.mend.startswith("./scripts/start --rebuild or: ")
    assert pytorch.mend.startswith("pip install --upgrade")
    assert trials.answered_for(part) == ["gguf", "pytorch"]


def test_an_engine_without_right_settings_prevents_answers(machine: Machine) -> None:
    machine.dying = 100
    part = machine.examined()
    assert set(states(part).values()) == {trials.WRONG}
    assert {f.severity for f in part.findings} == {PREVENTS}
    assert all(f.mend for f in part.findings)
    assert trials.answered_for(part) == []


def test_a_trial_that_cannot_be_made_is_told_with_its_reason(machine: Machine) -> None:
    machine.refuses = "the disk is full"
    part = machine.examined()
    assert set(states(part).values()) == {trials.UNTRIED}
    assert all("the disk is full" in f.sentence for f in part.findings)
    assert {f.severity for f in part.findings} == {LIMITS}
