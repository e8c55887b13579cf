"""Bands, figures and what was given back, of records good and bad."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_records import record

from comparator.comparison import machine_use, machine_words

IN_TURN = 110.5
MB = 1_000_000


def second(start: float = IN_TURN, **changes: Any) -> dict[str, Any]:
    return record("pytorch", start, **changes)


def test_a_band_rises_and_falls_back_to_the_line_it_came_from():
    (chart,) = machine_use.of([record(), second()]).charts
    first, other = chart.bands
    assert [(t, low, top) for t, low, top in first.points] == [
        (0.0, 0, 0),
        (1.0, 0, 200 * MB),
        (9.9, 0, 300 * MB),
        (10.0, 0, 0),
    ]
    assert other.points[0] == (10.5, 0, 0)
    assert other.points[-1] == (20.5, 0, 0)
    assert chart.most_bytes == 300 * MB
    assert chart.taken[0] == (0.0, 0)
    assert chart.taken[2] == (9.9, 300 * MB)


def test_bands_of_models_that_run_at_once_stand_on_one_another():
    (chart,) = machine_use.of([record(), second(101.0)]).charts
    below, above = chart.bands
    assert all(low == 0 for _, low, _ in below.points)
    at = {moment: (low, top) for moment, low, top in above.points}
    assert at[1.0] == (200 * MB, 200 * MB)
    assert at[9.9][0] == 300 * MB
    assert at[10.0][0] == 0, "the other one has gone"


def test_a_retry_minutes_later_leaves_no_empty_minutes():
    use = machine_use.of([record(), second(900.0)])
    assert use.charts[0].bands[1].points[0][0] == pytest.approx(10.0 + 2.0)
    assert use.seconds == pytest.approx(22.0)


def test_a_column_asked_again_before_another_keeps_its_place():
    use = machine_use.of([record(start=IN_TURN), second(100.0)])
    assert [band.slot for band in use.charts[0].bands] == [0, 1]
    assert use.charts[0].bands[0].points[0][0] == pytest.approx(10.5)


def test_accelerators_have_charts_where_they_were_used_alone():
    devices = [{"name": "Big", "total_bytes": 80, "free_before": 70, "free_after": 70}]
    receipt = {"receipt__devices": devices, "receipt__peak_device_bytes": 9}
    idle = record(**receipt)
    assert [chart.name for chart in machine_use.of([idle]).charts] == [""]
    idle["receipt"]["samples"]["device_bytes"] = [[0], [5], [9], [0]]
    ram, device = machine_use.of([idle, second()]).charts
    assert (device.name, device.total_bytes, device.most_bytes) == ("Big", 80, 9)
    assert [top for _, _, top in device.bands[0].points] == [0, 5, 9, 0]
    assert ram.most_bytes == 300 * MB
    (back, _other) = machine_use.of([idle, second()]).given_back
    assert back.devices == ({"name": "Big", "before": 70, "after": 70},)


def test_figures_stand_beside_each_other_and_what_nobody_measured_is_left_out():
    figures = machine_use.of([record(), second(stats__tokens_per_second=None)]).figures
    assert figures["load"] == [1.0, 1.0]
    assert figures["prefill"] == [0.5, 0.5]
    assert figures["tokens_per_second"] == [20.0, None]
    assert "peak_device_bytes" not in figures


@pytest.mark.parametrize(
    ("state", "records"),
    [
        ("as_before", [record()]),
        ("as_before", [record(receipt__available_after=4_900 * MB), second()]),
        ("less", [record(receipt__available_after=4_800 * MB), second()]),
        ("beside", [record(), second(105.0)]),
        ("never", [record(receipt={}), second()]),
        ("running", [record(receipt={}, is_complete=False), second()]),
    ],
)
def test_what_was_given_back(state, records):
    assert machine_use.of(records).given_back[0].state == state


def test_a_run_under_way_is_drawn_as_far_as_it_has_come():
    samples = {"seconds": [0.0, 0.5], "own_bytes": [0, 50], "available_bytes": [99, 49]}
    use = machine_use.of([record(is_complete=False, receipt={"samples": samples}), {}])
    assert use.charts[0].bands[0].points == [(0.0, 0, 0), (0.5, 0, 50)]
    assert [one.state for one in use.given_back] == ["running", "running"]


def test_nothing_is_drawn_of_nothing():
    use = machine_use.of([])
    assert (use.charts, use.figures, use.given_back) == ([], {}, [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside),
    max_leaves=5,
)


@given(st.sampled_from(["model", "stats", "receipt", "engine"]), JSON)
def test_a_record_with_any_part_wrong_is_drawn_without_a_fault(part, value):
    use = machine_use.of([record(), {**second(), part: value}])
    json.dumps(use.to_record(), allow_nan=False)


@given(st.sampled_from(["seconds", "own_bytes", "available_bytes", "device_bytes"]), JSON)
def test_wrong_samples_are_drawn_without_a_fault(name, value):
    wrong = second()
    wrong["receipt"]["samples"][name] = value
    json.dumps(machine_use.of([record(), wrong]).to_record(), allow_nan=False)


def test_what_the_machine_gave_is_worded_for_exports():
    taken = record(receipt__available_after=4_000 * MB, model__name="a\x1b")
    use = machine_use.of([taken, second(receipt={}, stats__tokens_per_second=None)])
    assert machine_words.given_back(use) == [
        "a\\x1b: 300 MB taken and given back 0.10 s after its last word; 4.00 GB free then, "
        "5.00 GB before: 1.00 GB less, which other programs took or the system holds.",
        "model of pytorch: took nothing, it was not started.",
    ]
    told = dict(machine_words.figures(use))
    assert told["Tokens a second"] == ["20.0", "–"]
    assert told["Peak memory"] == ["300 MB", "300 MB"]
    assert set(machine_words.MEASURES) == set(machine_use.MEASURES)
