"""Which settings are the faster ones on this processor, measured with products as models use them.

Only what depends on the processor is measured, and only what the level allows; a tie goes to the
rule, so that the choice is the same each time. One thread measures, by the processor time that it
took: what other programs do at that moment changes its choice little. Numbers of threads alone
have to be measured by the clock.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runners.engines.pytorch.forward import rule_for_one_row
from runners.machine import cores

CLEARLY = 1.1  # times as fast: less is chance on a machine that does other things as well
# A model whose numbers are made twice as wide takes twice the memory: that has to pay.
WORTH_THE_MEMORY = 1.5
ROUNDS = 3
ANSWER_TOKENS, PROMPT_TOKENS = 128, 256
_ROWS = 64
_SHAPES = ((1536, 576),) * 8 + ((4096, 2048),)  # of a small model, and of a large one
_SLOW_SECONDS = 0.01
# Bits of a usual number in each type, so that all types may read the same memory: 0.5 in bfloat16
# and, twice, in float32, 1.75 in float16. Making it takes longer than reading it.
_FILLING, _FILLING_BYTES = 0x3F00, 2


def row_modes(settings: Mapping[str, Any]) -> tuple[bool, ...]:
    """Return the uses of oneDNN for one row that a level allows, the rule's first."""
    wanted = settings["one_row_onednn"]
    if not settings["onednn"]:
        return (False,)
    if wanted is not None:
        return (bool(wanted),)
    rule = rule_for_one_row("bfloat16")
    return (rule, not rule)


@contextlib.contextmanager
def onednn(is_used: bool) -> Iterator[None]:
    """Compute with or without oneDNN while the body runs."""
    import torch

    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = is_used
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


def faster_settings(
    settings: Mapping[str, Any], usable: Mapping[str, Sequence[bool]]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the settings to use from now on, and what was measured.

    Args:
        settings: of the level.
        usable: what ``trial.Checks`` found right.
    """
    import torch

    measured = _Measured(settings)
    chosen = {**settings, "auto_dtype": dict(settings["auto_dtype"])}
    if settings.get("threads") is None:
        chosen["threads"] = measured.best_threads()
    torch.set_num_threads(1)
    chosen["one_row_onednn"] = measured.best_for_one_row(usable["one_row_onednn"])
    chosen["auto_dtype"] = measured.best_types(chosen["one_row_onednn"], usable["float16"][0])
    return chosen, measured.figures


class _Measured:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.figures: dict[str, float] = {}
        self._settings = settings
        self._memory: Any = None
        self._weights: dict[str, list[Any]] = {}

    def best_for_one_row(self, modes: Sequence[bool]) -> bool:
        """Return whether oneDNN is used for one row of bfloat16; the first of the modes is ours."""
        if len(modes) == 1:
            return modes[0]
        seconds = _least({mode: self._one_row("bfloat16", mode) for mode in modes}, ROUNDS)
        for mode in modes:
            self.figures[f"one row {'with' if mode else 'without'} oneDNN, ms"] = _ms(seconds[mode])
        return bool(_clearly(seconds, CLEARLY))

    def best_threads(self) -> int | None:
        """Return the number of threads; None where the rule's is as good as any."""
        import torch

        rule = torch.get_num_threads()
        counts = (rule, *cores.other_thread_counts())
        if len(counts) == 1:
            return None

        def with_threads(count: int) -> Callable[[], None]:
            rows, many = self._one_row("bfloat16", None), self._many_rows("bfloat16")

            def work() -> None:
                torch.set_num_threads(count)
                rows()
                many()

            return work

        works = {count: with_threads(count) for count in counts}
        seconds = _least(works, ROUNDS, time.perf_counter)
        torch.set_num_threads(rule)
        for count in counts:
            self.figures[f"{count} threads, ms"] = _ms(seconds[count])
        best = _clearly(seconds, CLEARLY)
        return None if best == rule else best

    def best_types(self, one_row_onednn: bool, float16_is_right: bool) -> dict[str, str]:
        """Return in which number type a model of each stored type is computed.

        One of 16 bits keeps its numbers exactly, in itself or in 32 bits.
        """
        fixed = dict(self._settings["auto_dtype"])
        open_types = [name for name in ("bfloat16", "float16") if fixed[name] is None]
        if not float16_is_right and "float16" in open_types:
            open_types.remove("float16")
            fixed["float16"] = "float32"
        if open_types:
            times = {name: self._times(name, one_row_onednn) for name in (*open_types, "float32")}
            for name, (row, many) in times.items():
                self.figures[f"one row in {name}, ms"] = _ms(row)
                self.figures[f"{_ROWS} rows in {name}, ms"] = _ms(many)
            for name in open_types:
                is_worth_it = _is_worth_32_bits(name, times[name], times["float32"])
                fixed[name] = "float32" if is_worth_it else name
        return fixed

    def _times(self, name: str, one_row_onednn: bool) -> tuple[float, float]:
        """Return the seconds of one row and of many rows, with all matrices."""
        mode = one_row_onednn if name == "bfloat16" else None
        row = _least({0: self._one_row(name, mode)}, 2)[0]
        many = _least({0: self._many_rows(name)}, 2)[0]
        all_of_them = sum(a * b for a, b in _SHAPES) / (_SHAPES[0][0] * _SHAPES[0][1])
        return row, many * all_of_them

    def _one_row(self, name: str, mode: bool | None) -> Callable[[], None]:
        """Return what multiplies one row with each matrix, as writing one token does."""
        return self._products(name, 1, self._matrices(name), mode)

    def _many_rows(self, name: str) -> Callable[[], None]:
        return self._products(name, _ROWS, self._matrices(name)[:1], None)

    def _products(
        self, name: str, rows: int, matrices: list[Any], mode: bool | None
    ) -> Callable[[], None]:
        import torch

        used = bool(self._settings["onednn"]) if mode is None else mode
        tokens = {
            matrix.shape[1]: torch.full((1, rows, matrix.shape[1]), 0.5, dtype=matrix.dtype)
            for matrix in matrices
        }

        def work() -> None:
            with onednn(used):
                for matrix in matrices:
                    torch.nn.functional.linear(tokens[matrix.shape[1]], matrix)

        return work

    def _matrices(self, name: str) -> list[Any]:
        """Return matrices of a number type, too many for a cache beside the processor."""
        import torch

        if self._memory is None:
            most = sum(rows * columns for rows, columns in _SHAPES) * torch.float32.itemsize
            self._memory = torch.full((most // _FILLING_BYTES,), _FILLING, dtype=torch.int16)
        if name not in self._weights:
            numbers = self._memory.view(getattr(torch, name))
            sizes = [rows * columns for rows, columns in _SHAPES]
            parts = numbers[: sum(sizes)].split(sizes)
            self._weights[name] = [
                part.view(shape) for part, shape in zip(parts, _SHAPES, strict=True)
            ]
        return self._weights[name]


def _is_worth_32_bits(name: str, narrow: tuple[float, float], wide: tuple[float, float]) -> bool:
    """Tell whether a model of 16 bits is computed in 32 (seconds of one row, of many rows).

    bfloat16 stays unless an answer takes far longer; float16, which most processors multiply
    slowly, is kept only where it is clearly faster and long prompts are not slower.
    """
    if name == "bfloat16":
        return _answer(wide) * WORTH_THE_MEMORY < _answer(narrow)
    return narrow[1] > wide[1] or _answer(narrow) * CLEARLY > _answer(wide)


def _answer(seconds: tuple[float, float]) -> float:
    row, many = seconds
    return ANSWER_TOKENS * row + PROMPT_TOKENS / _ROWS * many


def _least(
    works: Mapping[Any, Callable[[], None]],
    rounds: int,
    clock: Callable[[], float] = time.thread_time,
) -> dict[Any, float]:
    """Return the least seconds of each work, all taken in turn; what is slow is run once."""
    seconds: dict[Any, float] = {}
    for _ in range(rounds + 1):  # the first has caches and lists to fill
        for name, work in works.items():
            if len(works) == 1 and seconds.get(name, 0.0) > _SLOW_SECONDS:
                continue
            began = clock()
            work()
            took = clock() - began
            seconds[name] = min(took, seconds.get(name, took))
    return seconds


def _clearly(seconds: Mapping[Any, float], times: float) -> Any:
    """Return the fastest, or the first where no other is clearly faster."""
    first = next(iter(seconds))
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[best] * times < seconds[first] else first


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
