"""What the trials of engines have found on this machine; a missing one is made now."""

from __future__ import annotations

import re
from typing import Any

from comparator.comparison.engine_trials.trials import Trials, TrialVerdict
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, Finding, ReportPart
from runners import registry

KINDS = tuple(kind for kind, engine in registry.ENGINES.items() if engine.trial)
BEST, OFF, UNTRIED, WRONG = "at its best", "something is off", "not tried", "wrong"
_COMMAND = re.compile(r"`([^`]+)`")
_TRY = "comparator doctor, while no model is running"


def trials(with_trial: bool, known: Trials | None = None) -> ReportPart:
    """Return each engine's verdict, and as findings what is off, with the command that mends it.

    Args:
        with_trial: make those that are missing; each takes about half a second.
        known: where verdicts are kept; None takes this user's.
    """
    asked = known or Trials()
    part = ReportPart([])
    try:
        for kind in KINDS:
            verdict = asked.verdict_for(kind) if with_trial else asked.known(kind)
            if verdict != TrialVerdict():  # which is of an engine without a build
                _add(part, asked, kind, verdict or TrialVerdict())
    finally:
        asked.close()
    return part


def answered_for(part: ReportPart) -> list[str]:
    """Return the kinds of engines that were tried and gave right numbers."""
    return [fact["engine"] for fact in part.facts or () if fact["state"] in (BEST, OFF)]


def _add(part: ReportPart, asked: Trials, kind: str, verdict: TrialVerdict) -> None:
    state = _state(asked, verdict)
    part.facts.append(_facts(kind, verdict, state))
    if state == UNTRIED and not verdict.sentences:
        sentence = f"The {kind} engine was not yet tried on this machine."
        part.findings.append(Finding("trials", NOTE, sentence, _TRY))
    severity = PREVENTS if state == WRONG else LIMITS
    part.findings += [
        Finding("trials", severity, sentence, _command_in(sentence))
        for sentence in verdict.sentences
    ]


def _facts(kind: str, verdict: TrialVerdict, state: str) -> dict[str, Any]:
    return {
        "engine": kind,
        "library": verdict.library or registry.engine(kind).library,
        "state": state,
        "settings": verdict.settings,
        "sentences": list(verdict.sentences),
        "notes": list(verdict.notes),
        "figures": verdict.figures,
        "key": verdict.key[:16],
    }


def _state(asked: Trials, verdict: TrialVerdict) -> str:
    if not verdict.is_tried:
        return UNTRIED
    found = asked.verdicts.of(verdict.key)
    if found is not None and found.level is None:
        return WRONG
    return OFF if verdict.sentences else BEST


def _command_in(sentence: str) -> str:
    """Return the commands that a sentence of a trial names, else the one that tries again."""
    return " or: ".join(dict.fromkeys(_COMMAND.findall(sentence))) or _TRY
