"""Tokens of several conversations, as llama.cpp reads them in one step (llama.h: llama_batch)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

from runners.engines.gguf import adapter


class Part(NamedTuple):
    """Tokens of one conversation among several.

    ``position`` is the place of the first in it, and ``wants_scores`` asks for those after the
    last.
    """

    sequence: int
    position: int
    tokens: Sequence[int]
    wants_scores: bool


class MixedBatch:
    """Tokens of several conversations that llama.cpp reads together, in memory that is kept."""

    def __init__(self, llama: Any, most: int, sequences: int) -> None:
        """Make room for so many tokens of so many conversations.

        Raises:
            EngineMissingError: a batch has other fields.
        """
        self._tokens, self._positions = (ctypes.c_int32 * most)(), (ctypes.c_int32 * most)()
        self._counts = (ctypes.c_int32 * most)(*[1] * most)
        self._names = (ctypes.c_int32 * sequences)(*range(sequences))
        self._of = (ctypes.c_void_p * most)()
        self._wanted = (ctypes.c_int8 * most)()
        arrays = {
            "token": self._tokens,
            "pos": self._positions,
            "n_seq_id": self._counts,
            "seq_id": self._of,
            "logits": self._wanted,
        }
        pointers = {name: adapter.pointer_for(llama, name, array) for name, array in arrays.items()}
        self.structure = adapter.with_fields(llama.llama_batch(), **pointers)

    def fill(self, parts: Sequence[Part]) -> list[int]:
        """Put tokens in; return for each part the place of its last one."""
        place, lasts = 0, []
        for part in parts:
            name = ctypes.addressof(self._names) + part.sequence * ctypes.sizeof(ctypes.c_int32)
            for ahead, token in enumerate(part.tokens):
                self._tokens[place], self._positions[place] = token, part.position + ahead
                self._of[place], self._wanted[place] = name, 0
                place += 1
            self._wanted[place - 1] = int(part.wants_scores)
            lasts.append(place - 1)
        adapter.with_fields(self.structure, n_tokens=place)
        return lasts
