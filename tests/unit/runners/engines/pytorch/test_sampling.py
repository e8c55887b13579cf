"""The order and the formulas of sampling, against a slow and obvious version."""

from __future__ import annotations

import math
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.exceptions import InferenceError
from runners.engines.pytorch.sampling import TorchSampler, choose

torch = pytest.importorskip("torch")


def kept(scores: list[float], **settings: float) -> set[int]:
    options = {"top_p": 1.0, "min_p": 0.0, "temperature": 1.0, **settings}
    return {choose(scores, number / 1000, **options) for number in range(1000)}


def test_choose_keeps_what_top_p_and_min_p_keep() -> None:
    scores = [math.log(share) for share in (0.5, 0.3, 0.15, 0.05)]
    assert kept(scores) == {0, 1, 2, 3}
    assert kept(scores, top_p=0.79) == {0, 1}
    assert kept(scores, top_p=0.81) == {0, 1, 2}
    assert kept(scores, min_p=0.59) == {0, 1}
    assert kept(scores, min_p=1.0) == {0}
    assert kept(scores, top_p=1e-9) == {0}


def test_choose_draws_by_probability_after_temperature() -> None:
    scores = [math.log(0.8), math.log(0.2)]
    options = {"top_p": 1.0, "min_p": 0.0}
    assert choose(scores, 0.79, temperature=1.0, **options) == 0
    assert choose(scores, 0.81, temperature=1.0, **options) == 1
    hot = 1 / (1 + (0.2 / 0.8) ** 0.5)  # share of the first at temperature 2
    assert choose(scores, hot - 0.001, temperature=2.0, **options) == 0
    assert choose(scores, hot + 0.001, temperature=2.0, **options) == 1


def sampler(prompt: list[int] | None = None, **settings: Any) -> TorchSampler:
    config = ModelConfig(**{"seed": 1, "repeat_penalty": 1.0, **settings})
    return TorchSampler(config, prompt or [], torch.device("cpu"))


@pytest.mark.parametrize(
    "settings",
    [
        {"top_p": 0.9},
        {"top_p": 0.5, "min_p": 0.01},
        {"min_p": 0.05, "top_p": 1.0},
        {"temperature": 1.7, "top_p": 1.0},
    ],
)
def test_many_candidates_as_few(settings: dict[str, float]) -> None:
    """The way for thousands of candidates chooses as the way for few does."""
    generator = torch.Generator().manual_seed(5)
    few, many = sampler(top_k=400, **settings), sampler(top_k=400, **settings)
    many._sampled = lambda scores: many._from_many(  # type: ignore[method-assign]
        scores, 400, torch.rand((), generator=many._random, dtype=torch.float64).item()
    )
    for _ in range(50):
        scores = torch.randn(1000, generator=generator) * 3
        assert few.next(scores) == many.next(scores)


def test_top_k_zero_takes_all() -> None:
    chosen = {sampler(top_k=0, top_p=1.0, seed=seed).next(torch.zeros(2000)) for seed in range(40)}
    assert len(chosen) > 30


@pytest.mark.parametrize("settings", [{"do_sample": False}, {"temperature": 0}])
def test_greedy_takes_the_best_after_the_penalty(settings: dict[str, Any]) -> None:
    scores = torch.tensor([1.0, 3.0, 2.0])
    assert sampler(**settings).next(scores) == 1
    assert sampler([1, 1], repeat_penalty=2.0, **settings).next(scores) == 2
    assert scores.tolist() == [1.0, 3.0, 2.0]


def test_penalty_multiplies_negative_scores() -> None:
    scores = torch.tensor([-1.0, -1.5])
    assert sampler([0], repeat_penalty=2.0, do_sample=False).next(scores) == 1


def test_penalty_forgets_after_64_tokens() -> None:
    scores = torch.tensor([2.0, 1.5, 0.0])
    assert sampler([0] + [2] * 63, repeat_penalty=2.0, do_sample=False).next(scores) == 1
    assert sampler([0] + [2] * 64, repeat_penalty=2.0, do_sample=False).next(scores) == 0


def test_same_seed_same_tokens() -> None:
    scores = torch.randn(500, generator=torch.Generator().manual_seed(2))
    first, second, other = sampler(seed=9), sampler(seed=9), sampler(seed=10)
    runs = [[each.next(scores) for _ in range(20)] for each in (first, second, other)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("do_sample", [True, False])
@pytest.mark.parametrize("top_k", [0, 40])
def test_nan_is_told(do_sample: bool, top_k: int) -> None:
    with pytest.raises(InferenceError, match="computes NaN"):
        sampler(do_sample=do_sample, top_k=top_k).next(torch.full((1000,), math.nan))
