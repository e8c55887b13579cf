"""Whether PyTorch as built here may be believed on this machine, and how it is fastest.

Products and attention as models use them are compared with the same in 64 bits, for which no
matrix unit is used: sizes that fill the tiles of such units, odd ones, and one row, which has
code of its own. They alone are computed with the threads that are about to be used; what they are
made of and compared with takes one thread, since at these sizes several mostly wait for each other.
A crash is the parent's matter: this runs in a child of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from runners.engines.pytorch import trial_speed
from runners.machine.cores import thread_count
from runners.protocol import JobProgress

# rows, inner size, outer size
SHAPES = ((1, 64, 48), (3, 65, 33), (8, 576, 192), (64, 576, 512))
ONE_ROW = ((1, 65, 33), (1, 576, 1536))
# Of the length of a result, what rounding costs at most: sums are in 32 bits, results rounded.
MOST_ERROR = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 4e-3}


def run(arguments: dict[str, Any], progress: JobProgress, should_stop: Callable[[], bool]) -> str:
    """Try one level of settings.

    Args:
        arguments: ``settings`` (``one_row_onednn``, ``onednn``, ``auto_dtype``, ``threads``).
        progress: takes a step, how much of it is done, and its total.
        should_stop: asked between the steps.

    Returns:
        A JSON object: ``right``; ``reason``, why not; ``chosen``, the settings with what was
        measured; ``notes``, sentences; ``figures``, numbers by their names.
    """
    import torch

    settings = dict(arguments["settings"])
    torch.set_num_threads(thread_count(settings.get("threads")))
    torch.backends.mkldnn.enabled = bool(settings["onednn"])
    progress("trial", 0, 2)
    with torch.inference_mode():
        checks = Checks(settings)
        reason = checks.first_wrong() or ("the trial was stopped" if should_stop() else "")
        progress("trial", 1, 2)
        chosen, figures = settings, dict[str, float]()
        if not reason:
            chosen, figures = trial_speed.faster_settings(settings, checks.usable)
    progress("trial", 2, 2)
    found = {"right": not reason, "reason": reason, "chosen": chosen}
    return json.dumps({**found, "notes": checks.notes, "figures": figures})


class Checks:
    """Compares what is computed under a level's settings with the same in 64 bits.

    Attributes:
        usable: what came back right of what the level leaves open: ``one_row_onednn``, whether
            oneDNN may be used for one row, and ``float16``, whether that type is right at all.
        notes: sentences on what did not, where something else takes its place.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        import torch

        self.usable: dict[str, tuple[bool, ...]] = {}
        self.notes: list[str] = []
        self._settings = settings
        self._torch = torch
        self._threads = torch.get_num_threads()
        self._random = torch.Generator().manual_seed(0)
        self._numbers = torch.empty(0)

    def first_wrong(self) -> str:
        """Return what is computed wrongly, part of a sentence; empty where nothing is."""
        self._torch.set_num_threads(1)
        try:
            self._numbers = self._drawn(1536 * 576)
            return self._first_wrong()
        finally:
            self._torch.set_num_threads(self._threads)

    def _first_wrong(self) -> str:
        fixed = self._settings["auto_dtype"]
        names = [name for name in ("float32", "bfloat16") if fixed.get(name) in (None, name)]
        for name in names:
            for reason in self._reasons(name):
                if reason:
                    return reason
        is_wrong = any(self._reasons("float16"))
        self.usable["float16"] = (not is_wrong,)
        if is_wrong:
            self.notes.append("Models of float16 are computed with 32 bits: float16 is wrong here.")
        return self._row_modes(names[-1])

    def _reasons(self, name: str) -> Iterator[str]:
        for shape in SHAPES:
            yield self._wrong_product(name, *shape)
        for rows in (1, 40):
            yield self._wrong_attention(name, rows)

    def _row_modes(self, name: str) -> str:
        """Find out with which use of oneDNN one row is right; return why with none."""
        modes, reason = [], ""
        for is_used in trial_speed.row_modes(self._settings):
            with trial_speed.onednn(is_used):
                wrong = [self._wrong_product(name, *shape) for shape in ONE_ROW]
            reason = next(filter(None, wrong), "")
            if not reason:
                modes.append(is_used)
        self.usable["one_row_onednn"] = tuple(modes)
        return "" if modes else reason

    def _drawn(self, *shape: int) -> Any:
        return self._torch.randn(shape, generator=self._random)

    def _computed(self, work: Callable[[], Any]) -> Any:
        """Return what a model would compute, with the threads that it would take."""
        self._torch.set_num_threads(self._threads)
        try:
            return work()
        finally:
            self._torch.set_num_threads(1)

    def _wrong_product(self, name: str, rows: int, inner: int, outer: int) -> str:
        dtype = getattr(self._torch, name)
        weight = self._numbers[: inner * outer].reshape(outer, inner).to(dtype)
        tokens = self._drawn(1, rows, inner).to(dtype)
        found = self._computed(lambda: self._torch.nn.functional.linear(tokens, weight))
        expected = tokens.double() @ weight.double().T
        return self._wrong(name, found, expected, f"products of {rows} x {inner} x {outer}")

    def _wrong_attention(self, name: str, rows: int) -> str:
        """Compare attention over 40 tokens, of the last one alone or of all, each to its past."""
        torch, tokens, size = self._torch, 40, 32
        dtype = getattr(torch, name)
        query = self._drawn(1, 4, rows, size).to(dtype)
        key, value = (self._drawn(1, 4, tokens, size).to(dtype) for _ in range(2))
        attention = torch.nn.functional.scaled_dot_product_attention
        found = self._computed(lambda: attention(query, key, value, is_causal=rows > 1))
        scores = query.double() @ key.double().transpose(-1, -2) / size**0.5
        if rows > 1:
            scores = scores + torch.full((rows, tokens), -torch.inf, dtype=torch.double).triu(1)
        shares = (scores - scores.max(-1, keepdim=True).values).exp()
        expected = shares / shares.sum(-1, keepdim=True) @ value.double()
        return self._wrong(name, found, expected, f"attention of {rows} over {tokens} tokens")

    def _wrong(self, name: str, found: Any, expected: Any, what: str) -> str:
        error = float((found.double() - expected).norm() / expected.norm())
        if error <= MOST_ERROR[name]:
            return ""  # and not where it is NaN
        return f"{what} in {name} are {error:.2g} of their size away from the right ones"
