"""How often the parent looks at a child's memory: not while looking would slow its model."""

from __future__ import annotations

import os
import socket
import threading
from types import SimpleNamespace

import pytest

from runners import protocol
from runners.supervision import watch
from runners.timeouts import Deadlines


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watched(monkeypatch):
    """A watch over a child that has loaded, with a clock of ours; ``looks`` are its times."""
    clock, looks = Clock(), []
    monkeypatch.setattr(watch, "time", clock)

    def private_bytes(_pid):
        looks.append(clock.now)
        return 1

    monkeypatch.setattr(watch.memory, "private_bytes", private_bytes)
    ours, theirs = socket.socketpair()
    child = SimpleNamespace(pid=os.getpid())
    made = watch.Watch(child, ours, ours, lambda _m: None, Deadlines(), threading.Event(), ours)
    yield made, clock, looks
    ours.close()
    theirs.close()


def seconds_pass(made, clock, seconds: float) -> None:
    for _ in range(round(seconds / 0.05)):
        clock.now += 0.05
        made._mind_the_clock()


def loaded(way: str) -> protocol.Loaded:
    return protocol.Loaded(0.0, 256, "cpu", way=way)


def test_a_model_is_looked_at_while_it_loads(watched):
    made, clock, looks = watched
    made._receive_message(protocol.Loading("weights", 0.0, 1.0))
    seconds_pass(made, clock, 2.0)
    assert len(looks) >= 4


def test_a_prompt_is_read_without_looks_by_an_engine_that_keeps_its_memory(watched):
    made, clock, looks = watched
    made._receive_message(loaded("llama.cpp"))
    seconds_pass(made, clock, 4.5)
    assert not looks
    seconds_pass(made, clock, 11.0)
    assert len(looks) in (2, 3), "a long prompt is looked at all the same, now and then"


def test_an_engine_that_gives_memory_back_is_looked_at(watched):
    made, clock, looks = watched
    made._receive_message(loaded("cached"))
    seconds_pass(made, clock, 2.0)
    assert len(looks) >= 4


def test_what_a_model_held_is_kept_of_the_looks_that_are_made_anyway(watched):
    made, clock, looks = watched
    made._receive_message(protocol.Loading("weights", 0.0, 1.0))
    seconds_pass(made, clock, 2.0)
    told = made._samples.columns()
    assert len(looks) == len(told["own_bytes"]) >= 4
    assert set(told["own_bytes"]) == {1}
    made._receive_message(protocol.Token("a", 1, 1.0))
    seconds_pass(made, clock, 4.0)
    assert len(made._samples.columns()["seconds"]) == len(looks), "no look of their own"
