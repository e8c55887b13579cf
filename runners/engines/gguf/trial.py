"""Whether llama.cpp as built here may be believed on this machine, and how it is fastest.

Tiny models of each common quantisation are decoded with the settings that are about to be used:
many rows at once, so that the tiles of matrix units are filled, then one row at a time. Their
scores are compared with ``trial_reference``, which no llama.cpp has computed. A crash is the
parent's matter: this runs in a child of its own.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from comparator.core.trial_figures import REPACKED_BITS
from runners.engines.gguf import adapter, library, tiny_model
from runners.engines.gguf.trial_model import TinyContext, TinyModel
from runners.engines.gguf.trial_reference import REFERENCE, STEP, TOKENS
from runners.engines.gguf.trial_speed import faster_settings
from runners.protocol import JobProgress

ROWS_AT_ONCE = 40  # two tiles of 16 and a rest
# Activations are rounded to 8 bits, one part in 127 of the largest of a block: 0.7 % of each,
# some 3 % of a score after the six products of a layer. Measured: 0.01 (F32) to 0.04 (Q6_K).
MOST_ERROR = 0.10  # root of the mean square; the scores' own is 1
MOST_ROW_ERROR = 0.40
BUSY_SECONDS = 0.1  # of computing, after which other programs must have the cores
_MIB = 1024 * 1024


def run(arguments: dict[str, Any], progress: JobProgress, should_stop: Callable[[], bool]) -> str:
    """Try one level of settings.

    Args:
        arguments: ``settings`` (``use_extra_bufts``, ``flash_attention``, ``threads``),
            ``library`` (``llama_cpp`` or ``xllamacpp``), ``target``, a folder to write to.
        progress: takes a step, the types tried so far, and their number.
        should_stop: asked between the types.

    Returns:
        A JSON object: ``right``; ``reason``, why not; ``chosen``, the settings with what was
        measured; ``notes``, sentences; ``figures``, numbers by their names.

    Raises:
        EngineMissingError: the library cannot be used at all.
    """
    settings = dict(arguments["settings"])
    llama = library.of_name(str(arguments["library"]))
    folder = Path(arguments["target"])
    folder.mkdir(parents=True, exist_ok=True)
    llama.llama_backend_init()
    trial = _Trial(llama, folder, settings)
    reason = trial.first_wrong(progress, should_stop)
    chosen, notes = settings, list[str]()
    if not reason:
        chosen, notes, measured = faster_settings(llama, folder, settings)
        trial.figures.update(measured)
    return json.dumps(
        {
            "right": not reason,
            "reason": reason,
            "chosen": chosen,
            "notes": notes,
            "figures": trial.figures,
        }
    )


class _Trial:
    """Tries type after type.

    Attributes:
        figures: what was measured, by name.
    """

    def __init__(self, llama: Any, folder: Path, settings: dict[str, Any]) -> None:
        self._llama, self._folder, self._settings = llama, folder, settings
        self._seconds = 0.0
        self.figures: dict[str, float] = {}

    def first_wrong(self, progress: JobProgress, should_stop: Callable[[], bool]) -> str:
        """Return what is wrong with the first type that is computed wrongly, empty if none is."""
        kinds = list(tiny_model.BLOCK_TYPES)
        for number, kind in enumerate(kinds):
            progress("trial", number, len(kinds))
            reason = "the trial was stopped" if should_stop() else self._wrong(kind)
            if reason:
                return reason
        progress("trial", len(kinds), len(kinds))
        return ""

    def _wrong(self, kind: str) -> str:
        path = self._folder / f"trial-{kind}.gguf"
        tiny_model.write(path, kind)
        with library.log_kept(quiet=True) as log:
            model = TinyModel(self._llama, path, bool(self._settings["use_extra_bufts"]))
            path.unlink()  # it stays mapped
            try:
                rows = self._rows(model)
            finally:
                model.close()
        self._note_repacked(kind, "".join(log))
        return difference(kind, rows)

    def _rows(self, model: TinyModel) -> list[list[float]]:
        """Return the scores of each of TOKENS, the first many read at once."""
        began = time.perf_counter()
        context = TinyContext(model, self._settings, alone=self._seconds > BUSY_SECONDS)
        try:
            rows = context.read(TOKENS[:ROWS_AT_ONCE])
            for token in TOKENS[ROWS_AT_ONCE:]:
                rows += context.read([token])
        finally:
            context.close()
        self._seconds += time.perf_counter() - began
        return rows

    def _note_repacked(self, kind: str, log: str) -> None:
        """Note the private memory that the weights of a type take beside the mapped file."""
        weights = sum(tiny_model.MATRICES.values()) - tiny_model.VOCABULARY_TOKENS
        size = sum(float(found) for found in adapter.UNMAPPED_MEBIBYTES.findall(log)) * _MIB
        self.figures[f"{REPACKED_BITS}{kind}"] = round(size * 8 / (weights * tiny_model.WIDTH), 2)


def difference(kind: str, rows: Sequence[Sequence[float]]) -> str:
    """Say how far the scores of all TOKENS are from the reference, empty where near enough."""
    expected = [byte * STEP for byte in memoryview(base64.b64decode(REFERENCE[kind])).cast("b")]
    errors = [abs(signature(row) - right) for row, right in zip(rows, expected, strict=True)]
    together, single = errors[:ROWS_AT_ONCE], errors[ROWS_AT_ONCE:]
    for part, words in ((together, f"{ROWS_AT_ONCE} tokens at once"), (single, "one token")):
        mean = (sum(error * error for error in part) / len(part)) ** 0.5
        if not (mean <= MOST_ERROR and max(part) <= MOST_ROW_ERROR):  # also where it is NaN
            return f"{kind} is computed wrongly when {words} is read"
    return ""


def signature(row: Sequence[float]) -> float:
    """Return one number that every score of a row has its part in; about 1 is usual."""
    signed: Iterator[float] = (
        score if place * place % 7 in (0, 1) else -score for place, score in enumerate(row)
    )
    return sum(signed) / math.sqrt(len(row))
