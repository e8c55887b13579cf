"""Trials, work in the background and measured runs keep out of each other's way."""

from __future__ import annotations

import threading
import time

import pytest

from comparator.core import quiet as module
from comparator.core.quiet import MeasuredRun, Quiet


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
    first, second = quiet.begin_run(), quiet.begin_run()
    quiet.end_run(first)
    with quiet.for_trial() as may_try:
        assert not may_try
    quiet.end_run(second)
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
    with pytest.raises(RuntimeError), quiet.for_trial():
        raise RuntimeError
    run = threading.Thread(target=lambda: quiet.end_run(quiet.begin_run()))
    run.start()
    run.join(30)
    assert not run.is_alive(), "the run still waits for the trial's end"


class Worker:
    """Work in the background that is done in pieces; ``one_more`` lets it do the next."""

    def __init__(self, quiet: Quiet) -> None:
        self.done = 0
        self._quiet, self._next, self._over = quiet, threading.Semaphore(0), False
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    def _live(self) -> None:
        with self._quiet.background("reading"):
            while True:
                self._quiet.rest()
                self.done += 1
                self._next.acquire()
                if self._over:
                    return

    def one_more(self) -> None:
        self._next.release()

    def end(self) -> None:
        self._over = True
        self.one_more()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_work_in_the_background_waits_while_a_model_is_measured():
    quiet = Quiet()
    first = quiet.begin_run()
    worker = Worker(quiet)
    second = quiet.begin_run()
    assert quiet.end_run(first) == ()
    assert worker.done == 0
    assert quiet.end_run(second) == ()
    until(lambda: worker.done == 1)
    worker.end()


def test_a_run_begins_when_the_piece_of_work_at_hand_is_done():
    quiet = Quiet()
    worker = Worker(quiet)
    until(lambda: worker.done == 1)
    begun: list[MeasuredRun] = []
    run = threading.Thread(target=lambda: begun.append(quiet.begin_run()))
    run.start()
    until(lambda: quiet.is_measuring)
    worker.one_more()
    run.join(10)
    assert worker.done == 1
    assert begun[0].waited_seconds > 0
    assert quiet.end_run(begun[0]) == ()
    until(lambda: worker.done == 2)
    worker.end()


def test_work_that_does_not_rest_in_time_is_told(monkeypatch):
    monkeypatch.setattr(module, "REST_WITHIN_SECONDS", 0.01)
    quiet = Quiet()
    worker = Worker(quiet)
    until(lambda: worker.done == 1)
    run = quiet.begin_run()
    assert quiet.end_run(run) == ("reading",)
    worker.end()


def test_work_that_waits_for_no_run_is_told_of_every_run_that_it_meets():
    quiet = Quiet()
    with quiet.beside("a download"):
        first = quiet.begin_run()
    second = quiet.begin_run()
    with quiet.beside("another download"):
        pass
    assert quiet.end_run(first) == ("a download", "another download")
    assert quiet.end_run(second) == ("another download",)
    assert first.waited_seconds == 0.0


def test_work_in_a_child_holds_no_run_up_and_is_told():
    quiet = Quiet()
    with quiet.background("quantising"), quiet.in_a_child():
        run = quiet.begin_run()
        assert quiet.end_run(run) == ("quantising",)
    assert run.waited_seconds == 0.0


def test_only_a_thread_that_works_in_the_background_rests():
    quiet = Quiet()
    run = quiet.begin_run()
    quiet.rest()
    with quiet.in_a_child():
        assert not quiet.is_background
    assert quiet.end_run(run) == ()


def test_runs_of_one_comparison_are_told_from_those_of_others() -> None:
    quiet = Quiet()
    first, second, other = (quiet.begin_run(of=int(n)) for n in ("9001", "9001", "9002"))
    quiet.end_run(first)
    alone = quiet.begin_run()
    met = [(run.together, run.comparisons) for run in (first, second, other, alone)]
    assert met == [(1, 1), (1, 2), (0, 3), (0, 2)]
