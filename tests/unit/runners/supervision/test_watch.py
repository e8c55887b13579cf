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


# ---- deadlines of several answers at once ----


@pytest.fixture
def several(monkeypatch):
    """A watch over a child that writes three answers at once, with a clock of ours."""
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    ours, theirs = socket.socketpair()
    child = SimpleNamespace(pid=None)
    limits = Deadlines(first_token_seconds=10.0, between_tokens_seconds=2.0, total_seconds=None)
    made = watch.Watch(
        child, ours, ours, lambda _m: None, limits, threading.Event(), ours, answers=5, at_once=3
    )
    made._receive_message(loaded("llama.cpp"))
    yield made, clock
    ours.close()
    theirs.close()


def ended_after(made, clock, messages, most: float = 60.0) -> float:
    """Tell messages now; return after how many seconds without a sign the run is ended."""
    for message in messages:
        made._receive_message(message)
    began = clock.now
    while made._final is None and clock.now - began < most:
        seconds_pass(made, clock, 0.5)
    return clock.now - began


def prompted(answer: int) -> protocol.Prompted:
    return protocol.Prompted(1.0, 5, "hi", "gguf", answer=answer)


def token(index: int, answer: int) -> protocol.Token:
    return protocol.Token("a", index, 1.0, answer)


@pytest.mark.parametrize(
    ("messages", "seconds", "stage"),
    [
        ([], 10.0, "prompt"),
        ([prompted(0)], 10.0, "prompt"),
        ([prompted(0), prompted(1), prompted(2)], 30.0, "prompt"),
        ([prompted(0), prompted(1), token(1, 0), token(1, 1)], 2.0, "generate"),
        ([prompted(0), token(1, 0), prompted(1), prompted(2)], 20.0, "prompt"),
        ([prompted(0), token(1, 0), protocol.Answered("stop", 1, 2.0)], 10.0, "prompt"),
    ],
)
def test_prompts_that_are_read_together_have_the_time_of_all_of_them(
    several, messages, seconds, stage
):
    made, clock = several
    assert ended_after(made, clock, messages) == pytest.approx(seconds, abs=1.0)
    assert made._final.stage == stage
