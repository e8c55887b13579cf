"""Durations are taken from a clock that cannot jump; the wall clock only dates a run."""

from __future__ import annotations

import itertools
import time
from collections import deque

import pytest

from comparator.services.inference_engine import InferenceEngine

JUMPS = {
    "back": itertools.count(1.7e9, -3600),
    "forth": itertools.count(1.7e9, 86_400),
    "to and fro": itertools.cycle([4e9, 1e9]),
}


@pytest.mark.parametrize("way", JUMPS)
def test_no_number_of_a_run_is_negative_or_absurd(echo_model, monkeypatch, way):
    models = [echo_model("a", tokens=5, tokens_per_second=50), echo_model("b", fault="raise")]
    monkeypatch.setattr(time, "time", lambda: float(next(JUMPS[way])))
    (results,) = deque(InferenceEngine().run_inference("one two three", models), maxlen=1)
    for result in results.values():
        stats = result.stats
        assert 0 <= stats.duration < 3600
        assert stats.end_time >= stats.start_time
        assert 0 <= stats.load_seconds < 3600
    first = results[models[0].id].stats
    assert 0 <= first.time_to_first_token < 3600
    assert 0 < first.tokens_per_second < 1000
