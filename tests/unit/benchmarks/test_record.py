"""What is said of values: medians, ratios of rounds, percentiles."""

from __future__ import annotations

import pytest

from benchmarks.record import Record, Series, percentile, ratio


def series(*values: float) -> Series:
    return Series("decode", "decode", "someone", "GGUF", list(values))


def test_every_value_is_kept_beside_median_and_spread() -> None:
    record = Record()
    for value in (3.0, 1.0, 2.0, 10.0):
        record.add("decode", "decode", "someone", value, "GGUF")
    (one,) = record.to_records()
    assert one == {
        "scenario": "decode",
        "measure": "decode",
        "contender": "someone",
        "model": "GGUF",
        "values": [3.0, 1.0, 2.0, 10.0],
        "unit": "tok/s",
        "median": 2.5,
        "least": 1.0,
        "most": 10.0,
    }


def test_an_unknown_measure_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="beauty"):
        Record().add("decode", "beauty", "someone", 1.0)


def test_a_ratio_pairs_rounds_so_that_a_disturbed_round_disturbs_both() -> None:
    disturbed = ratio(series(10, 10, 1), series(20, 20, 2))
    assert disturbed == (0.5, 0.5, 0.5)
    assert ratio(series(1, 2, 9), series(2, 2, 3)) == (1.0, 0.5, 3.0)


def test_there_is_no_ratio_to_nothing() -> None:
    assert ratio(series(1), series(0)) is None
    assert ratio(series(), series()) is None


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([float(n) for n in range(1, 101)], 0.95, 95.0),
        ([5.0, 1.0, 3.0], 0.5, 3.0),
        ([7.0], 0.95, 7.0),
        ([1.0, 2.0], 1.0, 2.0),
        ([1.0, 2.0], 0.0, 1.0),
        ([float(n) for n in range(1, 21)], 0.95, 19.0),
    ],
)
def test_percentile(values: list[float], share: float, wanted: float) -> None:
    assert percentile(values, share) == wanted


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_a_missing_peer_keeps_its_first_reason_and_a_note_is_said_once() -> None:
    record = Record()
    for reason in ("not installed", "no answer"):
        record.miss("a server", reason)
        record.note("The machine was busy.")
    assert record.missing == {"a server": "not installed"}
    assert record.notes == ["The machine was busy."]
