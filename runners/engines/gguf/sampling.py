"""How llama.cpp's next token is chosen, the same way as in ``pytorch.sampling``.

The order is llama.cpp's own: penalties, top_k, top_p, min_p, temperature, draw. The penalty
is applied here to the scores of the at most 64 tokens it concerns, in llama.cpp's own memory:
its sampler visits the whole vocabulary for it. Where writing there has no effect on what is
drawn, which is tried before each answer, llama.cpp's sampler does it after all.
"""

from __future__ import annotations

import ctypes
import math
from collections import deque
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import InferenceError
from runners.engines.choices import Choices
from runners.engines.gguf import adapter
from runners.engines.gguf.model import Scores
from runners.engines.sampling import PENALTY_WINDOW_TOKENS, seed_of


class GGUFSampler:
    """Chooses tokens from a context's scores; remembers the last 64 for the penalty.

    Attributes:
        penalises_itself: whether llama.cpp's sampler sees to the penalty, which is slower.
        choices: what the answer may be; None for anything.
    """

    penalises_itself = False

    def __init__(
        self,
        context: Scores,
        settings: ModelConfig,
        prompt: list[int],
        choices: Choices | None = None,
    ) -> None:
        import numpy

        self._llama: Any = context.llama
        self._numpy: Any = numpy
        self._context = context
        self._penalty = float(settings.repeat_penalty)
        self._last = deque(prompt, maxlen=PENALTY_WINDOW_TOKENS)
        self._row = ctypes.c_float * context.vocabulary_size
        self._views: dict[int, tuple[Any, Any]] = {}
        self._chain = None
        self.choices = choices
        if not settings.is_greedy and not choices:
            self._chain = self._new_chain(settings, self._penalties())

    def next(self) -> int:
        """Choose the next token.

        Raises:
            InferenceError: the model computes NaN.
        """
        scores, array = self._scores()
        if self.choices is not None:
            token = self.choices.likeliest(array[self.choices.allowed()].tolist())
            self.choices.take(token)
        else:
            if self._penalty != 1.0 and not self.penalises_itself:
                self._penalise(scores)
            token = int(array.argmax()) if self._chain is None else self._drawn()
        if math.isnan(scores[token]):
            raise InferenceError(
                "The model computes NaN: the file is damaged, or its number format is wrong "
                "for this machine. Download it again or choose another quantisation."
            )
        self._last.append(token)
        return token

    def close(self) -> None:
        """Free what llama.cpp holds; harmless when there is nothing."""
        if self._chain is not None:
            self._llama.llama_sampler_free(self._chain)
            self._chain = None

    def _scores(self) -> tuple[Any, Any]:
        """Return llama.cpp's scores twice, as a ctypes and a numpy array on its own memory.

        Of 49 152 scores numpy finds the likeliest in 0.015 ms; llama.cpp's sampler, which first
        makes a candidate of each, takes 0.11 ms. For the few that are penalised ctypes wins.
        """
        address = ctypes.addressof(self._context.logits().contents)
        if address not in self._views:
            row = self._row.from_address(address)
            self._views = {address: (row, self._numpy.frombuffer(row, self._numpy.float32))}
        return self._views[address]

    def _drawn(self) -> int:
        context = self._context
        return int(self._llama.llama_sampler_sample(self._chain, context.pointer, context.output))

    def _new_chain(self, settings: ModelConfig, penalties: list[Any]) -> Any:
        return self._chained([*penalties, *self._parts(settings)])

    def _chained(self, parts: list[Any]) -> Any:
        parameters = adapter.sampler_parameters(self._llama)
        chain = self._llama.llama_sampler_chain_init(parameters)
        for part in parts:
            self._llama.llama_sampler_chain_add(chain, part)
        return chain

    def _penalties(self) -> list[Any]:
        """Return llama.cpp's own sampler for the penalty, where ours would have no effect."""
        if self._penalty == 1.0 or self._writing_counts():
            return []
        self.penalises_itself = True
        size, window = self._context.vocabulary_size, PENALTY_WINDOW_TOKENS
        sampler = self._llama.llama_sampler_init_penalties(size, window, self._penalty, 0.0, 0.0)
        for token in self._last:
            self._llama.llama_sampler_accept(sampler, token)
        return [sampler]

    def _writing_counts(self) -> bool:
        """Whether what is written into the scores is what llama.cpp then chooses from."""
        scores, array = self._scores()
        token = int(array.argmin())
        before, scores[token] = scores[token], math.inf
        chain = self._chained([self._llama.llama_sampler_init_greedy()])
        context = self._context
        try:
            drawn = self._llama.llama_sampler_sample(chain, context.pointer, context.output)
            return int(drawn) == token
        finally:
            self._llama.llama_sampler_free(chain)
            scores[token] = before

    def _parts(self, settings: ModelConfig) -> list[Any]:
        llama = self._llama
        return [
            llama.llama_sampler_init_top_k(settings.top_k),
            llama.llama_sampler_init_top_p(float(settings.top_p), 1),
            llama.llama_sampler_init_min_p(float(settings.min_p), 1),
            llama.llama_sampler_init_temp(float(settings.temperature)),
            llama.llama_sampler_init_dist(seed_of(settings)),
        ]

    def _penalise(self, scores: Any) -> None:
        penalty = self._penalty
        for token in set(self._last):
            score = scores[token]
            scores[token] = score * penalty if score <= 0 else score / penalty
