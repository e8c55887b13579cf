"""Several waits that share one time."""

from __future__ import annotations

from comparator.core.countdown import Countdown


def test_each_wait_has_what_the_ones_before_it_left() -> None:
    now = [100.0]
    countdown = Countdown(5.0, lambda: now[0])
    assert countdown.left == 5.0
    now[0] += 3.0
    assert countdown.left == 2.0
    now[0] += 3.0
    assert countdown.left == 0.0
