"""From tokens of several conversations to the scores of the next ones: one forward pass for all.

Rows are padded on the left, each with its own positions. Whether a model computes that rightly is
tried (``trouble_with``) before it is believed: one that has a running state, or counts positions
itself, would answer noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runners.engines.pytorch import adapter, ways
from runners.engines.pytorch.batch_cache import BatchRoom
from runners.engines.pytorch.forward import PREFILL_TOKENS, RecomputingStepper, one_row_products

_FEWEST_COLUMNS = 32  # of a part of several prompts that are read at once
_MOST_PADDING, _LITTLE_PADDING = 1.25, 16  # the share, and the tokens, that a prompt may lack

ShouldStop = Callable[[], bool]


class BatchReader:
    """Reads prompts and tokens of several conversations.

    Attributes:
        seats: how many conversations there is room for.
    """

    def __init__(
        self,
        model: Any,
        device: Any,
        way: ways.Way,
        seats: int,
        tokens: int,
        one_row_onednn: bool | None = None,
    ) -> None:
        """Make room, for fewer conversations where memory has no room for more.

        Args:
            model: a causal language model of transformers.
            device: of its inputs.
            way: how its tokens are decoded one by one.
            seats: how many conversations are wanted at once.
            tokens: prompt and answer of the longest.
            one_row_onednn: as of ``forward.one_row_products``.

        Raises:
            RuntimeError: there is no memory even for one.
        """
        import torch

        self._model, self._device, self._cache_name = model, device, way.cache_name
        self._more: dict[str, Any] = {"logits_to_keep": 1} if way.keeps_logits else {}
        self._takes_positions = "position_ids" in adapter.forward_parameters(model)
        self._one_row = one_row_products(model, device, one_row_onednn)
        self._prefill_tokens = PREFILL_TOKENS
        self.seats = seats
        with torch.inference_mode():
            like, _ = self._read_padded([[0]], lambda: False) or (None, None)
            while True:
                try:
                    self._room = BatchRoom(like, self.seats, tokens)
                    return
                except (RuntimeError, MemoryError) as error:
                    if self.seats == 1 or not ways.is_out_of_memory(error):
                        raise
                    self.seats //= 2

    @property
    def rows(self) -> int:
        """How many conversations there are now."""
        return len(self._room.columns.lengths)

    def add(self, prompts: Sequence[list[int]], should_stop: ShouldStop) -> list[Any] | None:
        """Read prompts behind the rows that there are; return the scores after each.

        None where it was stopped; then none of them is there.
        """
        import torch

        scores: list[Any] = []
        with torch.inference_mode():
            for together in of_like_length(prompts):
                read = self._read_padded(together, should_stop)
                if read is None:
                    for _ in scores:
                        self._room.remove(self.rows - 1)
                    return None
                cache, found = read
                self._room.add(cache, list(map(len, together)))
                scores += list(found)
        return scores

    def step(self, tokens: Sequence[int]) -> Any:
        """Read one more token of each row; return the scores of shape (rows, vocabulary)."""
        import torch

        with torch.inference_mode():
            self._room.make_way()
            columns, cache = self._room.columns, self._room.cache
            lengths, longest = columns.lengths, max(columns.lengths)
            arguments = {self._cache_name: cache, "use_cache": True, **self._more}
            if self._takes_positions:
                arguments["position_ids"] = self._tensor([[length] for length in lengths])
            if min(lengths) < longest:
                pads = self._tensor([[longest - length] for length in lengths])
                places = torch.arange(longest + 1, device=self._device).unsqueeze(0)
                arguments["attention_mask"] = (places >= pads).long()
            ids = self._tensor([[token] for token in tokens])
            if len(lengths) == 1:
                with self._one_row:
                    output = self._model(input_ids=ids, **arguments)
            else:
                output = self._model(input_ids=ids, **arguments)
            self._room.advance()
            return output.logits[:, -1]

    def remove(self, row: int) -> None:
        """Forget a conversation; the last row gets its number."""
        import torch

        with torch.inference_mode():
            self._room.remove(row)

    def _read_padded(
        self, prompts: Sequence[list[int]], should_stop: ShouldStop
    ) -> tuple[Any, Any] | None:
        """Read prompts in a cache of their own; return it and the scores after each."""
        import torch
        from transformers import DynamicCache

        longest, cache, output = max(map(len, prompts)), DynamicCache(), None
        pads = [longest - len(prompt) for prompt in prompts]
        ids = self._tensor([[0] * pad + prompt for pad, prompt in zip(pads, prompts, strict=True)])
        places = torch.arange(longest, device=self._device).unsqueeze(0)
        shifts = self._tensor([[pad] for pad in pads])
        positions, mask = (places - shifts).clamp(min=0), (places >= shifts).long()
        size = max(_FEWEST_COLUMNS, self._prefill_tokens // len(prompts))
        for start in range(0, longest, size):
            if should_stop():
                return None
            part = slice(start, min(start + size, longest))
            arguments = {self._cache_name: cache, "use_cache": True, **self._more}
            if self._takes_positions:
                arguments["position_ids"] = positions[:, part]
            if any(pads):
                arguments["attention_mask"] = mask[:, : part.stop]
            output = self._model(input_ids=ids[:, part], **arguments)
        return cache, output.logits[:, -1] if output is not None else None

    def _tensor(self, rows: Sequence[Sequence[int]]) -> Any:
        import torch

        return torch.tensor(rows, dtype=torch.long, device=self._device)


def of_like_length(prompts: Sequence[list[int]]) -> list[list[list[int]]]:
    """Return prompts, in their order, in groups that may be padded to their longest."""
    groups: list[list[list[int]]] = []
    for prompt in prompts:
        sizes = [len(prompt), *map(len, groups[-1] if groups else [])]
        most = max(_MOST_PADDING * min(sizes), min(sizes) + _LITTLE_PADDING)
        if groups and max(sizes) <= most:
            groups[-1].append(prompt)
        else:
            groups.append([prompt])
    return groups


def trouble_with(model: Any, device: Any, way: ways.Way, tokens: Sequence[int] = ()) -> str:
    """Return why a model cannot answer several at once, part of a sentence; empty where it can.

    Rows of different lengths are read together, one goes and another comes, and what is computed
    is compared with each text read by itself without a cache.

    Args:
        model: a causal language model of transformers, loaded.
        device: of its inputs.
        way: how its tokens are decoded one by one.
        tokens: of an ordinary text.
    """
    if way.kind not in (ways.CACHED, ways.GRAPH):
        return "its memory of past tokens is of a kind of its own"
    tried = ways.tried_tokens(model, tokens)
    try:
        return _difference(model, device, way, tried)
    except Exception as error:
        if ways.is_out_of_memory(error):
            raise
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def _difference(model: Any, device: Any, way: ways.Way, tokens: list[int]) -> str:
    import torch

    texts = [tokens[:-1], tokens[2:], tokens[3:]]
    reader = BatchReader(model, device, way, 2, len(tokens) + 1)
    found = list(reader.add([text[:-1] for text in texts[:2]], lambda: False) or [])
    found += list(reader.step([text[-1] for text in texts[:2]]))
    reader.remove(0)
    reader.add([texts[2][:-1]], lambda: False)
    found += list(reader.step([tokens[0], texts[2][-1]]))
    read = [texts[0][:-1], texts[1][:-1], texts[0], texts[1], [*texts[1], tokens[0]], texts[2]]
    with torch.inference_mode():
        error = 0.0
        for scores, text in zip(found, read, strict=True):
            alone: Any = RecomputingStepper(model, device).read(text, lambda: False)
            distance = ways.distance(scores.float(), alone.float())
            error = max(error, distance if distance == distance else float("inf"))
    if error > ways.tolerance(model.dtype):
        return f"its numbers lie {error:.2g} of their size apart"
    return ""
