"""A tiny model in llama.cpp, and a context that tells the scores of every token it reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparator.core.exceptions import InferenceError, ModelLoadError
from runners.engines.gguf import adapter, tiny_model
from runners.machine.cores import thread_count

MOST_ROWS = 64


class TinyModel:
    """One tiny model.

    Attributes:
        llama: the library that holds it.
        pointer: llama.cpp's model.
    """

    def __init__(self, llama: Any, path: Path, use_extra_bufts: bool) -> None:
        """Load it.

        Raises:
            ModelLoadError: llama.cpp refuses it.
        """
        self.llama = llama
        parameters = adapter.model_parameters(
            llama, n_gpu_layers=0, use_extra_bufts=use_extra_bufts
        )
        self.pointer = llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self.pointer:
            raise ModelLoadError(f"llama.cpp refuses the trial's model {path.name}.")

    def close(self) -> None:
        """Free it."""
        self.llama.llama_model_free(self.pointer)


class TinyContext:
    """Reads tokens of one conversation."""

    def __init__(
        self,
        model: TinyModel,
        settings: dict[str, Any],
        *,
        alone: bool = False,
        tokens_at_once: int = MOST_ROWS,
        all_scores: bool = True,
    ) -> None:
        """Allocate it.

        Args:
            model: the model.
            settings: ``flash_attention`` and ``threads`` as the trial's.
            alone: whether one thread does everything.
            tokens_at_once: most tokens of a ``read``.
            all_scores: whether the scores of every token are told, or the last one's.

        Raises:
            ModelLoadError: llama.cpp cannot.
        """
        self._llama = model.llama
        threads = 1 if alone else thread_count(settings.get("threads"))
        parameters = adapter.context_parameters(
            model.llama,
            n_ctx=tiny_model.CONTEXT_TOKENS,
            n_batch=tokens_at_once,
            n_ubatch=tokens_at_once,
            n_threads=threads,
            n_threads_batch=threads,
            flash_attention=str(settings["flash_attention"]),
        )
        self._all_scores = all_scores
        self._pointer = model.llama.llama_init_from_model(model.pointer, parameters)
        if not self._pointer:
            raise ModelLoadError("llama.cpp makes no context for the trial's model.")

    def read(self, tokens: Sequence[int]) -> list[list[float]]:
        """Read tokens and return their scores, one list a token.

        Raises:
            InferenceError: llama.cpp cannot compute them.
        """
        batch = adapter.batch(self._llama, tokens, all_scores=self._all_scores)
        code = self._llama.llama_decode(self._pointer, batch.structure)
        if code != 0:
            raise InferenceError(f"llama.cpp failed to decode the trial's model (code {code}).")
        rows = range(len(tokens)) if self._all_scores else (-1,)
        return [self._scores(row) for row in rows]

    def _scores(self, row: int) -> list[float]:
        scores = self._llama.llama_get_logits_ith(self._pointer, row)
        if not scores:
            raise InferenceError("llama.cpp computed no scores for the trial's model.")
        return list(scores[: tiny_model.VOCABULARY_TOKENS])

    def clear(self) -> None:
        """Forget what was read."""
        self._llama.llama_memory_clear(self._llama.llama_get_memory(self._pointer), True)

    def close(self) -> None:
        """Free it."""
        self._llama.llama_free(self._pointer)
