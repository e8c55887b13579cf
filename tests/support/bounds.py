"""Promises in seconds and bytes, which a test can only hold where nothing else runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """What a test asks whether a figure is small enough, by the fixture ``bounds``.

    Attributes:
        are_held: as by ``pytest --bounds``, with which `make soak` runs the tests that have some.
            The gate runs the same tests beside others, on whatever machine, and there asks only
            for what happens, not for how soon.
    """

    are_held: bool

    def under(self, figure: float, most: float) -> bool:
        """Return whether a figure, in seconds or bytes, is below its bound, where that counts."""
        return figure < most or not self.are_held
