"""Planted into fork servers by ``test_ways_out.py``: real engines and jobs that try to get out.

Imported where the libraries are; the children resolve the changed names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import planted_targets
import ways_out

from runners import registry
from runners.base import End, Piece, TokenText

MARK = "\nWAYS OUT: "


class _TryingOut:
    """Answers like the real engine, then takes every way out, with the model in memory."""

    def pieces(self, prompt: str) -> Iterator[Piece]:
        for piece in super().pieces(prompt):  # type: ignore[misc]
            if isinstance(piece, End):
                yield TokenText(MARK + ways_out.report(planted_targets.TARGETS))
            yield piece


def gguf() -> Any:
    from runners.engines.gguf.inferencer import GGUFInferencer

    return type("TryingGGUF", (_TryingOut, GGUFInferencer), {})()


def pytorch() -> Any:
    from runners.engines.pytorch.inferencer import PyTorchInferencer

    return type("TryingPyTorch", (_TryingOut, PyTorchInferencer), {})()


def job(
    arguments: dict[str, Any],
    report: Callable[[str, float, float], None],
    should_stop: Callable[[], bool],
) -> str:
    """Write to the target, which a job may, then take every way out."""
    with open(arguments["target"], "w") as file:
        file.write("made")
    return ways_out.report(planted_targets.TARGETS)


for _kind in ("gguf", "pytorch"):
    registry.ENGINES[_kind] = dataclasses.replace(
        registry.ENGINES[_kind], inferencer=f"{__name__}:{_kind}"
    )
registry.JOBS["ways_out_gguf"] = registry.JOBS["ways_out_pytorch"] = f"{__name__}:job"
