"""Decoding on CUDA by a recorded graph: one launch a token in place of hundreds.

A graph repeats the same work on the same memory. So the cache has its full size from the begin
(transformers' StaticCache) and token and position are written into fixed tensors. Reference:
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from runners.engines.pytorch import adapter
from runners.engines.pytorch.forward import PREFILL_TOKENS, CachedStepper

# Recording runs a step four times and takes some tenths of a second; a launch saved is a few
# microseconds, hundreds a token. Estimated, not measured: about 100 tokens pay for it.
FEWEST_TOKENS = 256
_WARM_UPS = 3


class Graphs(Protocol):
    """How work is recorded; tests have one of their own."""

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Run work some times and record it; return how to repeat it and its fixed result."""


class CudaGraphs:
    """CUDA's own."""

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Run work some times and record it; return how to repeat it and its fixed result."""
        import torch

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = work()
        return graph.replay, result


class GraphStepper(CachedStepper):
    """Reads the prompt as usual and then repeats one recorded step."""

    def __init__(
        self,
        model: Any,
        device: Any,
        cache_name: str,
        length: int,
        graphs: Graphs | None = None,
        *,
        keeps_logits: bool = True,
    ) -> None:
        super().__init__(model, device, cache_name, growing=False, keeps_logits=keeps_logits)
        self.cache = self._arguments[cache_name] = adapter.static_cache(model, length)
        self.chunk_tokens = PREFILL_TOKENS
        self.trouble = ""  # why nothing was recorded, part of a sentence
        self._graphs = graphs or CudaGraphs()
        self._replay: Callable[[], None] | None = None
        self._scores: Any = None
        self._token, self._position = self.tensor([0]), self.tensor([0])

    def step(self, token: int) -> Any:
        """Read one more token and return the scores of the next."""
        self._token.fill_(token)
        self._position.fill_(self._read)
        if self._replay is None:
            self._replay = self._recorded()
        self._replay()
        self._read += 1
        return self._scores

    def _recorded(self) -> Callable[[], None]:
        """Record one step; what its trial runs wrote is written over by the first real one."""
        try:
            replay, self._scores = self._graphs.record(self._one_step)
        except RuntimeError as error:  # something in this model cannot be: it runs as usual
            self.trouble = " ".join(str(error).split())[:120]
            replay = self._run_once
        adapter.set_length(self.cache, self._read)
        return replay

    def _run_once(self) -> None:
        self._scores = self._one_step()

    def _one_step(self) -> Any:
        arguments = dict(self._arguments)
        if self._takes_positions:
            arguments["position_ids"] = self._position
        return self._model(input_ids=self._token, **arguments).logits[0, -1]


def pays(model: Any, device: Any, answer_tokens: int) -> bool:
    """Tell whether a run is long enough for a graph; not on several devices."""
    if device.type != "cuda" or answer_tokens < FEWEST_TOKENS:
        return False
    return len(set((getattr(model, "hf_device_map", None) or {}).values())) <= 1


def suits(model: Any, device: Any, answer_tokens: int) -> bool:
    """Tell whether a graph pays and a model can be recorded."""
    return pays(model, device, answer_tokens) and adapter.can_be_recorded(model)
