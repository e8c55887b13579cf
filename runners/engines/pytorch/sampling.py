"""How a transformers model's next token is chosen, the same way as in ``gguf.sampling``.

The order and the formulas are those of llama.cpp's sampler chain
(https://github.com/ggml-org/llama.cpp/blob/master/src/llama-sampler.cpp): penalties over the
last 64 tokens, top_k, top_p, min_p, temperature, draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import InferenceError
from runners.engines.choices import Choices, choices_of
from runners.engines.sampling import PENALTY_WINDOW_TOKENS, seed_of

_FEW_CANDIDATES = 512


def choose(
    scores: Sequence[float], number: float, top_p: float, min_p: float, temperature: float
) -> int:
    """Choose among scores that are sorted from the best down; return an index.

    Args:
        scores: logits of the top_k candidates, at least one.
        number: a random number, 0 to below 1.
        top_p: keep the fewest candidates whose probabilities sum up to it.
        min_p: drop candidates less likely than min_p times the likeliest.
        temperature: divides the scores before the draw, over 0.
    """
    best = scores[0]
    kept = len(scores)
    if top_p < 1.0:
        kept = _nucleus([math.exp(score - best) for score in scores], top_p)
    if min_p > 0.0:
        least = best + math.log(min_p)
        kept = max(1, sum(score >= least for score in scores[:kept]))
    weights = [math.exp((score - best) / temperature) for score in scores[:kept]]
    return _drawn(weights, number)


def _nucleus(weights: Sequence[float], top_p: float) -> int:
    """Return how many of the sorted weights are needed for the share top_p of their sum."""
    enough = top_p * math.fsum(weights)
    total = 0.0
    for count, weight in enumerate(weights, start=1):
        total += weight
        if total >= enough:
            return count
    return len(weights)


def _drawn(weights: Sequence[float], number: float) -> int:
    left = number * math.fsum(weights)
    for index, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return index
    return len(weights) - 1


class TorchSampler:
    """Chooses tokens from scores; remembers the last 64 for the penalty.

    Attributes:
        choices: what the answer may be; None for anything.
    """

    def __init__(
        self,
        settings: ModelConfig,
        prompt: list[int],
        device: Any,
        choices: Choices | None = None,
    ) -> None:
        import torch

        self._torch = torch
        self._greedy = settings.is_greedy
        self._penalty = float(settings.repeat_penalty)
        self._top_k = settings.top_k
        self._top_p = float(settings.top_p)
        self._min_p = float(settings.min_p)
        self._temperature = float(settings.temperature)
        self._random = torch.Generator("cpu")
        self._random.manual_seed(seed_of(settings))
        self._last = prompt[-PENALTY_WINDOW_TOKENS:]
        self._device = device
        self.choices = choices

    def next(self, scores: Any) -> int:
        """Choose the next token from the logits of the whole vocabulary.

        Raises:
            InferenceError: the model computes NaN.
        """
        scores = scores.float()
        if self.choices is not None:
            return self._of_choices(self.choices, scores)
        if self._penalty != 1.0:
            scores = self._penalised(scores)
        token = self._best(scores) if self._greedy else self._sampled(scores)
        self._last.append(token)
        del self._last[:-PENALTY_WINDOW_TOKENS]
        return token

    def _of_choices(self, choices: Choices, scores: Any) -> int:
        values = scores[choices.allowed()].tolist()
        for value in values:
            _check_is_number(value)
        token = choices.likeliest(values)
        choices.take(token)
        return token

    def _penalised(self, scores: Any) -> Any:
        """Divide positive scores of the last tokens by the penalty, multiply the others."""
        torch = self._torch
        tokens = torch.tensor(self._last, dtype=torch.long, device=self._device)
        chosen = scores[tokens]
        worse = torch.where(chosen <= 0, chosen * self._penalty, chosen / self._penalty)
        return scores.index_copy(0, tokens, worse)

    def _best(self, scores: Any) -> int:
        score, token = scores.max(dim=-1)
        _check_is_number(score.item())
        return int(token)

    def _sampled(self, scores: Any) -> int:
        torch = self._torch
        number = torch.rand((), generator=self._random, dtype=torch.float64).item()
        size = scores.shape[-1]
        wanted = min(self._top_k or size, size)
        if wanted > _FEW_CANDIDATES:
            return self._from_many(scores, wanted, number)
        values, tokens = torch.topk(scores, wanted)
        best_first = values.tolist()
        _check_is_number(best_first[0])
        index = choose(best_first, number, self._top_p, self._min_p, self._temperature)
        return int(tokens[index])

    def _from_many(self, scores: Any, wanted: int, number: float) -> int:
        """Do what ``choose`` does, with tensors: for thousands of candidates."""
        torch = self._torch
        values, tokens = torch.topk(scores, wanted)
        values = values.double()
        _check_is_number(values[0].item())
        kept = wanted
        if self._top_p < 1.0:
            sums = torch.softmax(values, dim=-1).cumsum(dim=-1)
            kept = min(wanted, int((sums < self._top_p).sum()) + 1)
        if self._min_p > 0.0:
            least = values[0] + math.log(self._min_p)
            kept = max(1, int((values[:kept] >= least).sum()))
        sums = torch.softmax(values[:kept] / self._temperature, dim=-1).cumsum(dim=-1)
        index = int(torch.searchsorted(sums, sums.new_tensor(number * float(sums[-1])), right=True))
        return int(tokens[min(index, kept - 1)])


def held_to(texts: Sequence[str], tokenizer: Any, ends: Iterable[int]) -> Choices | None:
    """Return what an answer may be in the tokens of a tokenizer; None for anything."""
    return choices_of(
        texts, lambda text: list(tokenizer.encode(text, add_special_tokens=False)), ends
    )


def _check_is_number(score: float) -> None:
    if math.isnan(score) or score == math.inf:
        raise InferenceError(
            "The model computes NaN: the file is damaged, or its number format is wrong for "
            "this machine. Download it again, or set torch_dtype to float32."
        )
