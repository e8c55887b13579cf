"""A judge's verdicts in a suite, counted like votes; people's votes are never mixed with them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.storage.kept_suite import KeptSuite
from comparator.storage.votes import TIE, Contender, Tally

_SIDES = ("a", "b")


def votes_of_judge(kept: KeptSuite) -> list[Tally]:
    """Return what a suite's judge says of each prompt and pair of slots, as votes.

    Repeats of a prompt are one vote: for the slot that has more of the verdicts, else a tie.
    Verdicts that did not survive the swap of the answers count nothing.

    Raises:
        ConfigurationError: the suite has no verdicts, or its judge is refused.
    """
    judge = kept.judge or {}
    if judge.get("is_refused"):
        said = " ".join(judge.get("sentences") or ["Its judge was not steady."])
        raise ConfigurationError(f"The verdicts of this suite do not count. {said}")
    leads: dict[tuple[int, int, int], int] = {}
    for one in kept.verdicts:
        if one.winner in (*_SIDES, TIE):
            key = one.prompt, one.a, one.b
            lead = (one.winner == "a") - (one.winner == "b")
            leads[key] = leads.get(key, 0) + lead
    if not leads:
        raise ConfigurationError(
            "This suite has no verdicts that count. 'comparator suite run FILE -m A -m B --judge "
            "MODEL' asks a judge."
        )
    counted = Counter((a, b, _winner(lead)) for (_prompt, a, b), lead in leads.items())
    contenders = [_contender(kept, slot) for slot in range(len(kept.slots))]
    return [
        Tally((contenders[a], contenders[b]), winner, count)
        for (a, b, winner), count in sorted(counted.items())
    ]


def notes_of_judge(kept: KeptSuite) -> list[str]:
    """Return what is to be known of a suite's judge beside its ratings, in sentences."""
    judge = kept.judge or {}
    label = judge.get("label") or (judge.get("model") or {}).get("name") or "a model"
    return [
        f"These are the verdicts of {label} in suite {kept.id}, not votes of people.",
        *judge.get("sentences", []),
    ]


def _winner(lead: int) -> str:
    if not lead:
        return TIE
    return "A" if lead > 0 else "B"


def _contender(kept: KeptSuite, slot: int) -> Contender:
    found = kept.slots[slot]
    name = str(found.model.get("name") or f"Slot {slot + 1}")
    return Contender(found.configuration, _model_of(found.model, name), found.label or name)


def _model_of(model: dict[str, Any], name: str) -> str:
    """Return what names a model within one suite: where it lies."""
    return str(model.get("path") or name)
