"""Stop at any stage, what outlives a child, and the fork server that dies or hangs."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from comparator.comparison import comparison as comparison_module
from comparator.comparison.comparison import Comparison
from comparator.core.models import RunState
from comparator.services.inference_engine import InferenceEngine
from runners import protocol
from runners.base import BaseInferencer
from runners.process import Deadlines
from runners.supervision.fork_server import fork_servers

GONE_SECONDS = 1.0  # 0.5 s is promised; the machine of the tests is shared

BUSY = {
    "loading": {"load_seconds": 60},
    "loading in native code": {"fault": "hold_interpreter", "fault_stage": "load"},
    "reading the prompt": {"fault": "hang", "fault_stage": "prompt"},
    "writing": {"tokens": 4000, "tokens_per_second": 100},
    "stopped by a signal": {"fault": "sigstop", "fault_after": 1},
    "spinning": {"fault": "spin", "fault_after": 1},
}


def is_busy(played) -> bool:
    return played.run.pid is not None and (played.seen(protocol.Loading))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("busy", BUSY)
def test_stop_ends_the_child_in_time(echo_model, begin, gone, wait_until, bounds, busy, method):
    played = begin(echo_model(**BUSY[busy]), method=method)
    assert wait_until(lambda: is_busy(played))
    time.sleep(0.1)  # let it get to the middle of it
    pid, asked = played.run.pid, time.monotonic()
    played.run.stop()
    assert bounds.under(time.monotonic() - asked, 0.05), "stop only sets a flag"
    played.to_end()
    assert bounds.under(time.monotonic() - asked, GONE_SECONDS)
    assert gone(pid)
    assert isinstance(played.final, protocol.Cancelled)
    played.run.stop()  # harmless afterwards


def test_stop_wakes_a_parent_at_rest(echo_model, begin, gone, wait_until, bounds, monkeypatch):
    monkeypatch.setattr("runners.protocol.LOOK_SECONDS", 1e6)  # would sleep until the child's end
    played = begin(echo_model(tokens=4000, tokens_per_second=100))
    assert wait_until(lambda: played.seen(protocol.Token))
    time.sleep(0.1)  # now it rests
    pid, asked = played.run.pid, time.monotonic()
    played.run.stop()
    played.to_end()
    assert bounds.under(time.monotonic() - asked, GONE_SECONDS)
    assert gone(pid)
    assert isinstance(played.final, protocol.Cancelled)


def test_stop_before_start_and_twice(echo_model, begin, bounds):
    played = begin(echo_model(load_seconds=60))
    played.run.stop()
    played.run.stop()
    asked = time.monotonic()
    assert isinstance(played.to_end().final, protocol.Cancelled)
    assert bounds.under(time.monotonic() - asked, GONE_SECONDS)


def test_a_stopped_comparison_keeps_its_text_and_starts_nobody_else(echo_model):
    models = [echo_model("writer", tokens=4000, tokens_per_second=100), echo_model("waiting")]
    engine = InferenceEngine()
    comparison = engine.compare(engine.request("one two three", models))
    while not comparison.result(0).content:
        comparison.drain(0.1)
    comparison.stop()
    end = time.monotonic() + 30
    while not comparison.is_complete and time.monotonic() < end:
        comparison.drain(0.1)
    writer, waiting = comparison.results()
    assert (writer.state, waiting.state) == (RunState.STOPPED, RunState.STOPPED)
    assert writer.content.startswith("one")
    assert writer.error is None
    assert waiting.stats.finish_reason == "cancelled"
    assert comparison.join(30)
    assert comparison.pids() == []
    engine.cleanup_resources()


def test_stopping_one_column_lets_the_next_begin(echo_model):
    models = [echo_model("first", tokens=4000, tokens_per_second=100), echo_model("second")]
    engine = InferenceEngine()
    comparison = engine.compare(engine.request("one two", models))
    while not comparison.result(0).content:
        comparison.drain(0.1)
    comparison.stop(0)
    end = time.monotonic() + 30
    while not comparison.is_complete and time.monotonic() < end:
        comparison.drain(0.1)
    states = [result.state for result in comparison.results()]
    assert states == [RunState.STOPPED, RunState.DONE]
    engine.finish(comparison)


def test_leaving_the_loop_early_ends_the_child(echo_model):
    engine = InferenceEngine()
    for results in engine.run_inference("one two", [echo_model(tokens=4000, tokens_per_second=50)]):
        if next(iter(results.values())).content:
            (comparison,) = engine.active_inferencers.values()
            break
    assert comparison.pids() == []
    assert engine.active_inferencers == {}


def test_cleanup_ends_every_comparison_of_the_same_model(echo_model, wait_until):
    engine, model = InferenceEngine(), echo_model(tokens=4000, tokens_per_second=50)
    comparisons = [engine.compare(engine.request("one two", [model])) for _ in range(2)]
    assert wait_until(lambda: all(comparison.pids() for comparison in comparisons))
    engine.cleanup_resources()
    assert [comparison.pids() for comparison in comparisons] == [[], []]
    for comparison in comparisons:
        comparison.drain(1.0)
        assert comparison.result(0).state is RunState.STOPPED


def test_a_stop_in_the_moment_of_the_start_starts_nothing(echo_model, monkeypatch):
    engine = InferenceEngine()
    request = engine.request("one two", [echo_model("a"), echo_model("b")])
    comparison = Comparison(request)
    original = comparison_module.refusal

    def stop_then_look(slot):
        comparison.stop()
        return original(slot)

    monkeypatch.setattr(comparison_module, "refusal", stop_then_look)
    comparison.start()
    end = time.monotonic() + 30
    while not comparison.is_complete and time.monotonic() < end:
        comparison.drain(0.1)
    assert [result.state for result in comparison.results()] == [RunState.STOPPED] * 2
    assert comparison.join(30)
    assert comparison._runs == {}


def test_a_receiver_that_fails_leaves_no_child(echo_model, begin, gone, wait_until):
    def receive(message):
        if isinstance(message, protocol.Token):
            raise RuntimeError("the page is gone")

    played = begin(echo_model(fault="hang", fault_after=1), receiver=receive)
    assert wait_until(lambda: played.run.pid)
    pid = played.run.pid
    final = played.to_end().final
    assert "the page is gone" in final.message
    assert wait_until(lambda: gone(pid))


class Parent(BaseInferencer):
    """Starts a process that outlives it and holds all of its descriptors."""

    def load_model(self, model_path, config):
        import os
        import time

        if os.fork() == 0:
            time.sleep(120)
            os._exit(0)
        self.is_loaded = True

    def generate_stream(self, prompt):
        yield "done"

    def unload_model(self): ...

    def get_model_info(self):
        return {}


def test_a_grandchild_dies_with_the_child_and_delays_nothing(play, custom_model, wait_until):
    before = set(psutil.pids())
    played = play(custom_model, factories=(lambda _model: Parent(),))
    assert isinstance(played.final, protocol.Finished)
    assert played.text == "done"

    def grandchildren():
        ours = []
        for pid in set(psutil.pids()) - before - set(fork_servers.pids()):
            try:
                if os.getpgid(pid) == played.run.pid and not _is_zombie(pid):
                    ours.append(pid)
            except ProcessLookupError:
                continue
        return ours

    assert wait_until(lambda: not grandchildren())


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class TestForkServer:
    def test_one_that_died_is_replaced_in_silence(self, echo_model, play):
        play(echo_model())
        (old,) = [fork_servers.of("echo").pid]
        os.kill(old, signal.SIGKILL)
        assert isinstance(play(echo_model()).final, protocol.Finished)
        assert fork_servers.of("echo").pid not in (None, old)

    def test_its_death_before_any_token_repeats_the_run_once(self, echo_model, begin, wait_until):
        played = begin(echo_model(load_seconds=3))
        assert wait_until(lambda: played.seen(protocol.Loading))
        os.kill(fork_servers.of("echo").pid, signal.SIGKILL)
        assert isinstance(played.to_end().final, protocol.Finished)
        assert sum(isinstance(m, protocol.Hello) for m in played.messages) == 2

    def test_its_death_after_a_token_is_one_sentence(self, echo_model, begin, gone, wait_until):
        played = begin(echo_model(tokens=4000, tokens_per_second=50))
        assert wait_until(lambda: played.text.startswith("one two"))
        pid = played.run.pid
        os.kill(fork_servers.of("echo").pid, signal.SIGKILL)
        final = played.to_end().final
        assert isinstance(final, protocol.Crashed)
        assert "The next run starts a new one" in final.cause
        assert wait_until(lambda: gone(pid))
        assert played.text.startswith("one two")

    def test_one_that_hangs_cannot_hold_a_run(self, echo_model, begin, play):
        play(echo_model())
        server = fork_servers.of("echo").pid
        os.kill(server, signal.SIGSTOP)
        try:
            stopped = begin(echo_model("a"))
            late = begin(echo_model("b"), deadlines=Deadlines(load_seconds=0.5))
            stopped.run.stop()
            assert isinstance(stopped.to_end().final, protocol.Cancelled)
            assert late.to_end().final == protocol.TimedOut("start", 0.5)
        finally:
            os.kill(server, signal.SIGCONT)
        assert isinstance(play(echo_model()).final, protocol.Finished)

    def test_closing_ends_the_servers_and_what_runs(self, echo_model, begin, gone, wait_until):
        played = begin(echo_model(fault="sigstop"))
        assert wait_until(lambda: played.seen(protocol.Loaded))
        pids = [*fork_servers.pids(), played.run.pid]
        fork_servers.close()
        played.run.stop()
        played.to_end()
        assert wait_until(lambda: all(map(gone, pids)))
