"""When tokens that were kept back are told: shortly before the parent's next look."""

from __future__ import annotations

import pytest

from runners.child import token_batching
from runners.protocol import LOOK_SECONDS


@pytest.fixture
def due_at(monkeypatch: pytest.MonkeyPatch):
    """Return a function that says which of these instants, in seconds, a new pace finds due."""

    def due_at(instants: list[float]) -> list[float]:
        clock = iter(instants)
        monkeypatch.setattr(token_batching.time, "monotonic", lambda: next(clock))
        keeper = token_batching.TokenBatching()
        return [instant for instant in instants if keeper.is_due()]

    return due_at


def test_the_first_token_is_due_at_once(due_at) -> None:
    assert due_at([1000 * LOOK_SECONDS + 0.01]) == [1000 * LOOK_SECONDS + 0.01]


def test_fast_tokens_wait_for_the_look_and_the_last_before_it_is_due(due_at) -> None:
    begin = 1000 * LOOK_SECONDS
    instants = [begin + 0.001 + 0.008 * number for number in range(45)]
    due = due_at(instants)[1:]  # without the first of all
    for look in (begin + LOOK_SECONDS, begin + 2 * LOOK_SECONDS, begin + 3 * LOOK_SECONDS):
        last_before = max(instant for instant in instants if instant < look)
        assert last_before in due
    assert len(due) <= 3 * 2  # never more than two times before each look


def test_a_token_that_takes_half_as_long_again_still_comes_in_time(due_at) -> None:
    begin = 1000 * LOOK_SECONDS
    ordinary = [begin + 0.02 * number for number in range(1, 5)]
    assert due_at([*ordinary, begin + LOOK_SECONDS - 0.01])[-1] == begin + LOOK_SECONDS - 0.01


def test_every_token_of_a_slow_model_is_due(due_at) -> None:
    instants = [50.0 + 0.7 * LOOK_SECONDS * number for number in range(30)]
    assert due_at(instants) == instants
