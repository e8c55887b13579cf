"""Trials and measured runs keep out of each other's way."""

from __future__ import annotations

import threading
import time

from comparator.core.quiet import Quiet


def until(condition) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_run_waits_for_a_trial_and_says_that_it_does():
    quiet = Quiet()
    with quiet.for_trial() as may_try:
        assert may_try
        assert not quiet.is_wanted
        run = threading.Thread(target=quiet.begin_run)
        run.start()
        until(lambda: quiet.is_wanted)
    run.join(10)
    assert not run.is_alive()
    assert not quiet.is_wanted


def test_no_trial_beside_a_run():
    quiet = Quiet()
    quiet.begin_run()
    quiet.begin_run()
    quiet.end_run()
    with quiet.for_trial() as may_try:
        assert not may_try
    quiet.end_run()
    with quiet.for_trial() as may_try:
        assert may_try


def test_one_trial_at_a_time():
    quiet = Quiet()
    seen = []

    def try_it() -> None:
        with quiet.for_trial() as may_try:
            seen.append(may_try)

    with quiet.for_trial():
        other = threading.Thread(target=try_it)
        other.start()
        until(lambda: quiet.is_wanted)
        assert seen == []
    other.join(10)
    assert seen == [True]


def test_a_trial_that_fails_lets_runs_go_on():
    quiet = Quiet()
    try:
        with quiet.for_trial():
            raise RuntimeError
    except RuntimeError:
        pass
    quiet.begin_run()
    quiet.end_run()
