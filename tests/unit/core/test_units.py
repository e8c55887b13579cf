"""Bytes, speeds, times and counts in words."""

from __future__ import annotations

import pytest

from comparator.core import units


@pytest.mark.parametrize(
    ("number", "rough", "fine"),
    [
        (None, "", "0 bytes"),
        (0, "", "0 bytes"),
        (59, "59 bytes", "59 bytes"),
        (4_600, "4.6 kB", "5 kB"),
        (98_362_432, "98 MB", "98 MB"),
        (1_500_000_000, "1.5 GB", "1.50 GB"),
        (25_317_000_000, "25 GB", "25.32 GB"),
    ],
)
def test_bytes_have_decimal_units(number: int | None, rough: str, fine: str) -> None:
    assert units.size(number) == rough
    assert units.fine_size(number) == fine


def test_what_is_not_known_is_said_in_the_words_of_its_place() -> None:
    assert units.size(None, "–") == units.fine_size(None, "–") == "–"
    assert units.speed(None, "–") == units.seconds(None, "–") == units.count(None, "–") == "–"
    assert units.speed(None) == units.seconds(None) == units.count(None) == ""


def test_speeds_and_times_have_their_unit_and_as_many_digits_as_they_bear() -> None:
    assert units.speed(32.04) == "32.0 tok/s"
    assert units.speed(1234.5) == "1234 tok/s"
    assert units.seconds(0.0) == "0.00 s"
    assert units.seconds(1.256) == "1.26 s"
    assert units.seconds(432.1) == "432 s"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_a_long_time_is_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert units.long_time(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, ""), (12, "12"), (1_700, "1.7 k"), (134_515_008, "135 M"), (7_241_732_096, "7.2 B")],
)
def test_parameters_are_counted_in_letters(number: int, words: str) -> None:
    assert units.count(number) == words
