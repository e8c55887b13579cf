"""The rest of a piece of work, estimated from how fast it goes."""

from __future__ import annotations

from comparator.core.time_left import TimeLeft


def test_the_rest_is_told_by_the_speed_since_one_looked() -> None:
    now = [100.0]
    left = TimeLeft(lambda: now[0])
    assert left.after(0.5) is None
    now[0] += 10
    assert left.after(0.75) == 10
    now[0] += 10
    assert left.after(1.0) == 0


def test_nothing_is_told_before_a_speed_is_known() -> None:
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.after(0.0)
    now[0] = 0.5
    assert left.after(0.4) is None
    now[0] = 60.0
    assert left.after(0.001) is None


def test_a_share_that_falls_back_begins_anew() -> None:
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.after(0.8)
    now[0] = 10.0
    assert left.after(0.1) is None
    now[0] = 20.0
    assert left.after(0.2) == 80
