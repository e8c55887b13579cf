"""Damping crash loops: a model that fails again and again has to wait, longer each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from comparator.core.models import ModelInfo

FAILURES_BEFORE = 3
FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 600.0
# What a new try cannot mend soon; a wrong setting or a refusal costs nothing to repeat.
COUNTED_KINDS = frozenset({"crashed", "timeout", "out_of_memory"})


@dataclass
class _Record:
    failures: int = 0
    wait_until: float = 0.0


class Cooldown:
    """Counts a model's failures in a row and says whether it may be tried now.

    Args:
        clock: seconds that never jump back, ``time.monotonic`` by default.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._lock = threading.Lock()

    def refusal(self, model: ModelInfo) -> str | None:
        """Return why a model may not run yet, or None."""
        with self._lock:
            record = self._records.get(_key(model))
            left = record.wait_until - self._clock() if record else 0.0
            if record is None or left <= 0:
                return None
            return (
                f"{model.name} failed {record.failures} times in a row and may be tried again in "
                f"{left:.0f} s. If its file is damaged, download it again; if memory was short, "
                "choose a smaller quantisation or context (n_ctx)."
            )

    def note(self, model: ModelInfo, error_kind: str | None) -> None:
        """Take in how a run ended; a good answer forgets all failures."""
        with self._lock:
            if error_kind is None:
                self._records.pop(_key(model), None)
            elif error_kind in COUNTED_KINDS:
                record = self._records.setdefault(_key(model), _Record())
                record.failures += 1
                if record.failures >= FAILURES_BEFORE:
                    record.wait_until = self._clock() + wait_seconds(record.failures)


def wait_seconds(failures: int) -> float:
    """Return how long to wait after so many failures in a row: doubled each time, bounded."""
    doublings = min(failures - FAILURES_BEFORE, 32)
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**doublings)


def _key(model: ModelInfo) -> str:
    """The same file, whatever id it runs under; another file of that name starts afresh."""
    return f"{model.path}:{model.size}"
