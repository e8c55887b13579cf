"""From tokens to the scores of the next one: a model's forward pass and its memory of the past.

Three ways: the model's own forward with a cache that grows in place; the inputs that the model
itself prepares for ``generate``, where it prepares special ones; and reading everything again
each time, which is right for any model. ``ways`` finds the fastest that is right for a model.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from typing import Any

from runners.engines.pytorch import adapter

PREFILL_TOKENS = 512

ShouldStop = Callable[[], bool]


class RecomputingStepper:
    """Reads all tokens again for each new one: right for every model, and slow."""

    chunk_tokens: int | None = None  # a prompt is read in parts of this size; None: at once

    def __init__(self, model: Any, device: Any) -> None:
        self._model = model
        self._device = device
        self._tokens: list[int] = []

    def read(self, tokens: list[int], should_stop: ShouldStop) -> Any | None:
        """Read a prompt and return the scores of the next token; None when it was stopped."""
        scores = None
        size = self.chunk_tokens or len(tokens)
        for start in range(0, len(tokens), size):
            if should_stop():
                return None
            scores = self._forward(tokens[start : start + size])
        return scores

    def step(self, token: int) -> Any:
        """Read one more token and return the scores of the next."""
        return self._forward([token])

    def tensor(self, tokens: list[int]) -> Any:
        """Return token ids on the device, of shape (1, tokens)."""
        import torch

        return torch.tensor([tokens], dtype=torch.long, device=self._device)

    def _forward(self, tokens: list[int]) -> Any:
        self._tokens += tokens
        output = self._model(input_ids=self.tensor(self._tokens), use_cache=False)
        return output.logits[0, -1]


class CachedStepper(RecomputingStepper):
    """Calls the model's forward directly, with a cache."""

    def __init__(
        self,
        model: Any,
        device: Any,
        cache_name: str,
        *,
        growing: bool = True,
        keeps_logits: bool = True,
        one_row_onednn: bool | None = None,
    ) -> None:
        """Take what ``ways`` found out about a model.

        Args:
            model: a causal language model of transformers.
            device: of its inputs.
            cache_name: what its forward calls the cache.
            growing: whether its cache may get layers that grow in place.
            keeps_logits: whether forward computes the scores of the last token alone, if asked.
            one_row_onednn: whether oneDNN is used while one token is read; None for the rule.
        """
        super().__init__(model, device)
        self.cache = adapter.new_cache(model, growing)
        self._arguments: dict[str, Any] = {cache_name: self.cache, "use_cache": True}
        if keeps_logits:
            self._arguments["logits_to_keep"] = 1
        self.chunk_tokens = PREFILL_TOKENS if adapter.takes_parts(self.cache) else None
        self._takes_positions = "position_ids" in adapter.forward_parameters(model)
        self._one_row = one_row_products(model, device, one_row_onednn)
        self._read = 0

    def step(self, token: int) -> Any:
        """Read one more token and return the scores of the next."""
        with self._one_row:
            return self._forward([token])

    def _forward(self, tokens: list[int]) -> Any:
        if self._takes_positions:
            positions = list(range(self._read, self._read + len(tokens)))
            self._arguments["position_ids"] = self.tensor(positions)
        self._read += len(tokens)
        output = self._model(input_ids=self.tensor(tokens), **self._arguments)
        return output.logits[0, -1]


class PreparedStepper(CachedStepper):
    """Lets the model prepare its inputs as for ``generate``, since it needs special ones."""

    def __init__(self, model: Any, device: Any, cache_name: str, **found: Any) -> None:
        super().__init__(model, device, cache_name, **found)
        self._kwargs = dict(self._arguments)
        self.chunk_tokens = None

    def _forward(self, tokens: list[int]) -> Any:
        first = not self._tokens
        self._tokens += tokens
        self._read += len(tokens)
        if first and self._takes_positions:
            self._kwargs["position_ids"] = adapter.first_positions(
                self._model, self.tensor(tokens), self._kwargs
            )
        inputs = self._model.prepare_inputs_for_generation(
            self.tensor(self._tokens),
            next_sequence_length=None if first else len(tokens),
            is_first_iteration=first,
            **self._kwargs,
        )
        output = self._model(**inputs, return_dict=True)
        self._kwargs = adapter.next_arguments(self._model, output, self._kwargs)
        return output.logits[0, -1]


def one_row_products(
    model: Any, device: Any, onednn: bool | None = None
) -> contextlib.AbstractContextManager[None]:
    """Return a context in which products of a matrix and one row are fastest.

    For the many rows of a prompt, and for several answers at once, oneDNN is always on. For one
    row PyTorch's own bfloat16 product is as exact, and on some processors 2.2 to 2.5 times
    faster (torch 2.13, AMD with AVX-512), on others slower: the trial of this machine knows.

    Args:
        model: of whose number type the products are.
        device: where they are computed.
        onednn: what the trial measured; None takes the rule of the processor named above.
    """
    import torch

    if device.type != "cpu" or model.dtype is not torch.bfloat16:
        return contextlib.nullcontext()
    if onednn is None:
        onednn = rule_for_one_row(str(model.dtype).removeprefix("torch."))
    return contextlib.nullcontext() if onednn else OneDnnOff()


def rule_for_one_row(number_type: str) -> bool:
    """Return whether oneDNN is used for one row where nothing was measured."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return not (is_x86 and number_type == "bfloat16")


class OneDnnOff(contextlib.AbstractContextManager[None]):
    """Computes without oneDNN while the body runs."""

    def __init__(self) -> None:
        import torch

        self._switch = torch.backends.mkldnn

    def __enter__(self) -> None:
        self._before = self._switch.enabled
        self._switch.enabled = False

    def __exit__(self, *_: object) -> None:
        self._switch.enabled = self._before
