"""How the speed of several answers at once is counted."""

from __future__ import annotations

import math

import pytest

from benchmarks.batch import Figures, Speed, _line, decode_speed, whole_speed
from runners import protocol


def test_all_tokens_count_over_the_time_of_all_answers() -> None:
    messages = [
        protocol.Loaded(1.0, 512, "cpu"),
        protocol.Prompted(2.0, 5, "a", "gguf", answer=1),
        protocol.Prompted(2.5, 5, "b", "gguf", answer=0),
        protocol.Answered("length", 10, 5.0, answer=1),
        protocol.Answered("stop", 20, 12.0, answer=0),
        protocol.Finished(13.0),
    ]
    assert whole_speed(messages) == pytest.approx(30 / 10)


def token(index: int, seconds: float, answer: int) -> protocol.Token:
    return protocol.Token("a", index, seconds, answer)


def test_decode_speed_is_that_of_the_time_in_which_all_seats_write() -> None:
    messages = [
        token(1, 3.0, 0),
        token(1, 5.0, 1),  # both write from here
        token(2, 6.0, 0),
        token(2, 6.0, 1),
        token(3, 7.0, 0),
        protocol.Answered("stop", 3, 7.0, answer=0),
        token(3, 9.0, 1),  # alone
        token(1, 10.0, 2),
        token(2, 11.0, 2),
        token(4, 11.0, 1),
        protocol.Answered("stop", 2, 11.0, answer=2),
        protocol.Answered("stop", 4, 11.0, answer=1),
    ]
    assert decode_speed(messages, 2) == pytest.approx(5 / 3)
    assert decode_speed([], 2) == 0.0


def test_the_gain_is_the_median_of_what_each_round_gained() -> None:
    rounds = {
        1: [Speed(10.0, 9.0), Speed(20.0, 9.0), Speed(10.0, 9.0)],
        8: [Speed(30.0, 18.0), Speed(80.0, 18.0), Speed(35.0, 18.0)],
    }
    figures = Figures("m", rounds)
    assert figures.gain(8) == (pytest.approx(3.5), pytest.approx(2.0))
    assert figures.median(8) == (35.0, 18.0)


def test_answers_of_one_token_have_no_speed_and_so_no_gain() -> None:
    nothing, some = Speed(0.0, 9.0), Speed(30.0, 18.0)
    figures = Figures("m", {1: [nothing, nothing], 8: [nothing, some]})
    assert math.isnan(figures.gain(8).decode)
    assert figures.gain(8).all == pytest.approx(1.5)
    assert "unknown times and 1.50 x one by one" in _line(figures, 8)
