"""After many runs with faults among them, the program holds what it held after the first."""

from __future__ import annotations

import contextlib
import gc
import os
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from cases import slow
from holdings import holdings

from comparator.services.inference_engine import InferenceEngine
from runners import protocol
from runners.machine import memory
from runners.process import Deadlines

FAULTS = (None, "sigkill", None, "sigsegv", None, "raise", "exit_3", None, "hang", "abort")


def test_sixty_runs_with_faults_four_at_a_time(echo_model, begin, wait_until, bounds):
    models = [
        echo_model(f"m{number}", fault=fault, fault_after=2) for number, fault in enumerate(FAULTS)
    ]

    def play(number: int) -> None:
        model = models[number % len(models)]
        played = begin(model, deadlines=Deadlines(between_tokens_seconds=0.3))
        if number % 5 == 4:
            played.run.stop()
        played.to_end()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(play, range(10)))
        before, private = holdings(), memory.private_bytes()
        list(pool.map(play, range(60)))
        assert wait_until(lambda: holdings() == before), (before, holdings())
        assert bounds.under(memory.private_bytes() - private, 10_000_000)


def test_twenty_comparisons_leave_no_child_and_no_memory(echo_model, wait_until, bounds):
    models = [echo_model(f"m{number}", tokens=64) for number in range(4)]
    engine = InferenceEngine()

    def compare() -> None:
        (results,) = deque(engine.run_inference("one two three four", models), maxlen=1)
        assert all(result.error is None for result in results.values())

    for _ in range(3):
        compare()
    before, private = holdings(), memory.private_bytes()
    for _ in range(20):
        compare()
    assert wait_until(lambda: holdings() == before), (before, holdings())
    assert bounds.under(memory.private_bytes() - private, 5_000_000)
    assert engine.active_inferencers == {}


def test_an_ended_comparison_does_not_wait_for_the_garbage_collector(echo_model, wait_until):
    """It may be hours away, and keeps the answers of every comparison until then."""
    models = [echo_model(f"m{number}", tokens=16) for number in range(2)]
    engine = InferenceEngine()
    gc.collect()
    gc.disable()
    try:
        comparison = engine.compare(engine.request("one two three four", models))
        assert comparison.wait_until_ended(30)
        engine.finish(comparison)
        while not comparison.is_complete:
            comparison.drain(1)
        ended = weakref.ref(comparison)
        del comparison
        assert wait_until(lambda: ended() is None)
    finally:
        gc.enable()


@pytest.mark.parametrize("spare", [n if n % 4 == 1 else slow(n) for n in range(1, 16)])
def test_a_run_without_descriptors_leaks_nothing(echo_model, begin, wait_until, spare):
    """However far it comes before they run out, it ends by a sentence."""
    import resource

    begin(echo_model()).to_end()
    before = holdings()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as held:
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        for _ in range(highest + 1 - psutil.Process().num_fds()):  # fill the gaps below it
            held.enter_context(open(os.devnull))
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + spare, hard))
        played = begin(echo_model("late"))
        assert played.run.join(30)
    played.to_end()
    if isinstance(played.final, protocol.Failed):
        assert "could not be started" in played.final.message
    else:
        assert isinstance(played.final, protocol.Finished)
    assert wait_until(lambda: holdings() == before), (before, holdings())
