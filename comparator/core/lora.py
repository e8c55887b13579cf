"""Adapters of a slot as they are written in its settings: ``PATH`` or ``PATH:SCALE``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

LARGEST_SCALE = 100
_LONGEST_TEXT = 4096  # characters, the longest path of Linux


class Adapter(NamedTuple):
    """One adapter: what names it, and by how much its change of the weights is multiplied."""

    name: str
    scale: float = 1.0

    def as_text(self) -> str:
        """Return it as it is written in settings."""
        is_plain = self.scale == 1.0 and adapter_of(self.name).name == self.name
        return self.name if is_plain else f"{self.name}:{self.scale!r}"


def adapter_of(text: str) -> Adapter:
    """Read one adapter; what stands behind the last colon is its scale if it is a number."""
    name, colon, scale = text.rpartition(":")
    if colon and name:
        try:
            return Adapter(name, float(scale))
        except ValueError:
            pass
    return Adapter(text)


def with_home(text: str) -> str:
    """Return an adapter with the home folder in the place of ``~``."""
    one = adapter_of(text)
    return Adapter(str(Path(one.name).expanduser()), one.scale).as_text()


def is_adapter_text(text: str) -> bool:
    """Tell whether a text names an adapter, with a scale that is one."""
    if not 0 < len(text) <= _LONGEST_TEXT or "\0" in text:
        return False
    scale = adapter_of(text).scale
    return math.isfinite(scale) and abs(scale) <= LARGEST_SCALE
