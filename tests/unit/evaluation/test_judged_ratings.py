"""Ratings by a judge: its verdicts count like votes, by prompts, and never beside people's."""

from __future__ import annotations

import msgspec
import pytest
from made_suites import suite_of

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.ratings import ratings_of
from comparator.evaluation.ratings.judged import notes_of_judge, votes_of_judge
from comparator.storage.kept_suite import JudgeVerdict, KeptSuite

STEADY = {"label": "the judge", "is_refused": False, "sentences": ["It was steady."]}


def judged(*verdicts: JudgeVerdict, judge=STEADY) -> KeptSuite:
    kept = suite_of(["u"] * 4, ["u"] * 4, ["u"] * 4)
    return msgspec.structs.replace(kept, verdicts=list(verdicts), judge=judge)


def test_each_prompt_and_pair_is_a_vote_whatever_its_repeats():
    kept = judged(
        JudgeVerdict(0, 0, 0, 1, "a"),
        JudgeVerdict(0, 1, 0, 1, "a"),
        JudgeVerdict(0, 2, 0, 1, "b"),
        JudgeVerdict(1, 0, 0, 1, "a"),
        JudgeVerdict(1, 1, 0, 1, "b"),
        JudgeVerdict(2, 0, 0, 1, None, "a", "b"),
        JudgeVerdict(2, 0, 1, 2, "b"),
    )
    told = [
        ("".join(one.name for one in tally.contenders), tally.winner, tally.count)
        for tally in votes_of_judge(kept)
    ]
    assert told == [("m0m1", "A", 1), ("m0m1", "tie", 1), ("m1m2", "B", 1)]
    assert ratings_of(votes_of_judge(kept)).votes == 3


def test_a_refused_judge_and_one_that_was_not_asked_give_no_ratings():
    refused = {**STEADY, "is_refused": True, "sentences": ["The judge is refused: it wavers."]}
    with pytest.raises(ConfigurationError, match="do not count"):
        votes_of_judge(judged(JudgeVerdict(0, 0, 0, 1, "a"), judge=refused))
    with pytest.raises(ConfigurationError, match="no verdicts that count"):
        votes_of_judge(judged(JudgeVerdict(0, 0, 0, 1, None), judge=None))


def test_that_they_are_no_votes_of_people_is_said():
    kept = judged(JudgeVerdict(0, 0, 0, 1, "a"))
    assert notes_of_judge(kept) == [
        f"These are the verdicts of the judge in suite {kept.id}, not votes of people.",
        "It was steady.",
    ]
