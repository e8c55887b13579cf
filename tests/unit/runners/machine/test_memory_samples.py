"""The points of a run: as many as a chart needs, and never the highest lost."""

from __future__ import annotations

import json

from runners.machine import memory_samples
from runners.machine.memory_samples import MOST_POINTS, MemorySamples


def test_what_was_not_looked_at_stays_as_it_was():
    samples = MemorySamples(0.0)
    samples.add(100, 0, [0, 0])
    samples.add(90, 10, [1, 2])
    samples.add(80)
    samples.end(100)
    told = samples.columns()
    assert told["own_bytes"] == [0, 10, 10, 0]
    assert told["available_bytes"] == [100, 90, 80, 100]
    assert told["device_bytes"] == [[0, 0], [1, 2], [1, 2], [0, 0]]
    assert json.loads(json.dumps(told)) == told
    assert samples.looks == 4


def test_without_an_accelerator_none_is_told():
    samples = MemorySamples(0.0)
    samples.add(100, 5)
    assert set(samples.columns()) == {"seconds", "own_bytes", "available_bytes"}


def test_a_long_run_keeps_few_points_and_its_highest(monkeypatch):
    class Clock:
        now = 0.0

        @classmethod
        def monotonic(cls):
            cls.now += 1.0
            return cls.now

    monkeypatch.setattr(memory_samples, "time", Clock)
    samples = MemorySamples(0.0)
    for number in range(5000):
        samples.add(1, 10_000 if number == 2345 else number)
    told = samples.columns()
    assert len(told["seconds"]) <= MOST_POINTS
    assert max(told["own_bytes"]) == 10_000
    assert told["seconds"] == sorted(told["seconds"])
    assert (told["own_bytes"][0], told["own_bytes"][-1]) == (0, 4999)
