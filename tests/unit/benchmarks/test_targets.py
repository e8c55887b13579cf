"""Whether promises count as kept, broken or not measured."""

from __future__ import annotations

import pytest

from benchmarks.company import BARE_LOOP, BY_HAND, PAGE, SERVER, SPAWNED
from benchmarks.record import MEASURES, Record
from benchmarks.suite import SCENARIOS
from benchmarks.targets import TARGETS, TargetVerdict, verdicts


def test_targets_name_what_the_suite_measures() -> None:
    assert {target.scenario for target in TARGETS} <= set(SCENARIOS)
    assert {target.measure for target in TARGETS} <= set(MEASURES)


def judged(record: Record, scenario: str, measure: str, peer: str) -> list[TargetVerdict]:
    return [
        verdict
        for verdict in verdicts(record, (scenario,))
        if (verdict.target.measure, verdict.target.peer) == (measure, peer)
    ]


@pytest.mark.parametrize(("ours", "met"), [(9.4, True), (9.5, True), (9.6, False)])
def test_a_time_may_be_at_most_a_share_of_the_peers(ours: float, met: bool) -> None:
    record = Record()
    record.add("comparison", "wall", PAGE, ours)
    record.add("comparison", "wall", BY_HAND, 10.0)
    (verdict,) = judged(record, "comparison", "wall", BY_HAND)
    assert verdict.met is met
    assert verdict.median == pytest.approx(ours / 10)


def test_a_speed_may_be_no_less_and_each_model_is_judged_alone() -> None:
    record = Record()
    for model, ours in (("GGUF Q4_1", 99.0), ("GGUF Q8_0", 90.0)):
        record.add("decode", "decode", PAGE, ours, model)
        record.add("decode", "decode", BARE_LOOP, 100.0, model)
    found = {v.model: v.met for v in judged(record, "decode", "decode", BARE_LOOP)}
    assert found == {"GGUF Q4_1": True, "GGUF Q8_0": False}


def test_what_a_missing_peer_leaves_open_is_not_met_and_not_broken() -> None:
    record = Record()
    record.add("decode", "decode", PAGE, 100.0, "GGUF Q4_1")
    (verdict,) = judged(record, "decode", "decode", SERVER)
    assert (verdict.met, verdict.median) == (None, None)
    (nothing,) = judged(record, "comparison", "wall", SPAWNED)
    assert (nothing.met, nothing.median) == (None, None)


@pytest.mark.parametrize(("held", "met"), [(0.0, True), (0.1, False)])
def test_a_value_of_its_own_is_held_against_the_limit(held: float, met: bool) -> None:
    record = Record()
    record.add("memory", "held_children", PAGE, held)
    (verdict,) = judged(record, "memory", "held_children", "")
    assert verdict.met is met
    assert verdict.to_record()["unit"] == "MB"


def test_only_what_was_run_is_judged() -> None:
    assert {v.target.scenario for v in verdicts(Record(), ("page",))} == {"page"}
