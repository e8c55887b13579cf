"""A model that fails again and again has to wait, longer each time, by a fake clock."""

from __future__ import annotations

import pytest

from comparator.comparison.cooldown import (
    COUNTED_KINDS,
    FAILURES_BEFORE,
    FIRST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    Cooldown,
    wait_seconds,
)
from comparator.core.models import ModelInfo, ModelType


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cooldown(clock):
    return Cooldown(clock)


def model_of(name="m", path="/models/m.gguf", size=5, model_id=""):
    return ModelInfo(model_id, name, path, ModelType.GGUF, size)


def fail(cooldown, model, times, kind="crashed"):
    for _ in range(times):
        cooldown.note(model, kind)


@pytest.mark.parametrize("kind", sorted(COUNTED_KINDS))
def test_the_third_failure_in_a_row_makes_it_wait(cooldown, kind):
    model = model_of()
    fail(cooldown, model, FAILURES_BEFORE - 1, kind)
    assert cooldown.refusal(model) is None
    cooldown.note(model, kind)
    sentence = cooldown.refusal(model)
    assert sentence.startswith("m failed 3 times in a row and may be tried again in 10 s.")
    assert "download it again" in sentence


def test_after_the_wait_it_may_be_tried_once_and_waits_longer(cooldown, clock):
    model = model_of()
    fail(cooldown, model, FAILURES_BEFORE)
    for wait in (10, 20, 40, 80):
        clock.seconds += wait - 0.5
        assert cooldown.refusal(model)
        clock.seconds += 0.5
        assert cooldown.refusal(model) is None
        cooldown.note(model, "crashed")


def test_an_answer_forgets_the_failures(cooldown, clock):
    model = model_of()
    fail(cooldown, model, FAILURES_BEFORE)
    clock.seconds += 10
    cooldown.note(model, None)
    fail(cooldown, model, FAILURES_BEFORE - 1)
    assert cooldown.refusal(model) is None


@pytest.mark.parametrize("kind", ["refused", "configuration", "load", "inference"])
def test_what_costs_nothing_to_repeat_is_not_counted(cooldown, kind):
    fail(cooldown, model_of(), 10, kind)
    assert cooldown.refusal(model_of()) is None


def test_other_models_are_not_affected(cooldown):
    fail(cooldown, model_of(), 5)
    assert cooldown.refusal(model_of(path="/models/other.gguf")) is None
    assert cooldown.refusal(model_of(size=6)) is None, "the file was replaced"
    assert cooldown.refusal(model_of(name="again", model_id="id#2")), "the same file"


def test_the_wait_is_bounded():
    waits = [wait_seconds(FAILURES_BEFORE + number) for number in range(1000)]
    assert waits[0] == FIRST_WAIT_SECONDS
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT_SECONDS
