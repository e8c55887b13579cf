"""How much a child may tell follows from what its run may write."""

from __future__ import annotations

import pytest

from comparator.core.config import ModelConfig
from runners import protocol
from runners.supervision.allowance import (
    BESIDE_TOKENS,
    BYTES_OF_A_TOKEN,
    MOST_TOLD,
    RUN_LIMIT_BYTES,
    Allowance,
)

LOADING = protocol.Loading("x", 1, 2)


def loaded(context_length: int) -> protocol.Loaded:
    return protocol.Loaded(1.0, context_length, "cpu")


def bytes_of(allowance: Allowance) -> int:
    """Return how many bytes are allowed, by going one beyond."""
    step = 4096
    for taken in range(0, 2**32, step):
        try:
            allowance.count_bytes(step)
        except protocol.ProtocolError:
            return taken
    raise AssertionError("no end")


@pytest.mark.parametrize(
    ("config", "answers", "tokens"),
    [
        (ModelConfig(max_tokens=100, n_ctx=None), 1, 100),
        (ModelConfig(max_tokens=None, n_ctx=70_000), 1, 70_000),
        (ModelConfig(max_tokens=None, n_ctx=None), 1, 60_000),  # the context that was told
        (ModelConfig(max_tokens=100, n_ctx=None), 3, 300),
        (None, 0, 0),
    ],
)
def test_the_limits_follow_from_the_tokens_of_a_run(
    config: ModelConfig | None, answers: int, tokens: int
) -> None:
    allowance = Allowance(config, answers)
    allowance.count(loaded(60_000))
    times = max(1, answers)
    for _ in range(BESIDE_TOKENS * times + tokens - 1):
        allowance.count(LOADING)
    with pytest.raises(protocol.ProtocolError, match="more messages"):
        allowance.count(LOADING)
    most = RUN_LIMIT_BYTES * times + tokens * BYTES_OF_A_TOKEN
    assert most - 4096 < bytes_of(allowance) <= most


def test_a_child_cannot_raise_its_limits_without_end() -> None:
    allowance = Allowance(ModelConfig(max_tokens=None, n_ctx=None))
    allowance.count(loaded(2**53))
    most = RUN_LIMIT_BYTES + MOST_TOLD * BYTES_OF_A_TOKEN
    assert bytes_of(allowance) <= most
