"""How the speed of several answers at once is counted."""

from __future__ import annotations

import pytest

from benchmarks.batch import Figures, tokens_per_second
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
    assert tokens_per_second(messages) == pytest.approx(30 / 10)


def test_the_gain_is_the_median_of_what_each_round_gained() -> None:
    figures = Figures("m", {1: [10.0, 20.0, 10.0], 8: [30.0, 80.0, 35.0]})
    assert figures.gain(8) == pytest.approx(3.5)
