"""How much of the history is kept, and what the environment says of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from comparator.core.exceptions import ConfigurationError

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Retention:
    """How much is kept; what is pinned of one's own stays, whatever the numbers.

    Attributes:
        is_on: whether anything is kept at all.
        most: comparisons of one's own, and as many of all visitors of a public page together;
            the oldest go first. 0 for all.
        days: how old one's own may be; 0 for ever.
        days_of_visitors: how old those of visitors may be; 0 for ever.
        most_of_a_visitor: comparisons of one visitor of a public page.
    """

    is_on: bool = True
    most: int = 10_000
    days: float = 0.0
    days_of_visitors: float = 0.0
    most_of_a_visitor: int = 200

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Retention:
        """Return what COMPARATOR_HISTORY, COMPARATOR_HISTORY_MOST and COMPARATOR_HISTORY_DAYS say.

        What strangers ask of a public page is kept for 30 days where nothing else is said.

        Raises:
            ConfigurationError: names the variable that is no number, or neither on nor off.
        """
        usual = cls(days_of_visitors=30.0)
        switch = environment.get("COMPARATOR_HISTORY", "").strip().lower() or "on"
        if switch not in ("on", "off"):
            raise ConfigurationError(f"COMPARATOR_HISTORY is on or off, not {switch[:40]!r}.")
        most = _number(environment, "COMPARATOR_HISTORY_MOST", usual.most)
        days, of_visitors = (
            _number(environment, "COMPARATOR_HISTORY_DAYS", otherwise)
            for otherwise in (usual.days, usual.days_of_visitors)
        )
        is_on = switch == "on"
        return replace(usual, is_on=is_on, most=int(most), days=days, days_of_visitors=of_visitors)


def _number(environment: Mapping[str, str], name: str, usual: float) -> float:
    text = environment.get(name, "").strip()
    try:
        number = float(text) if text else usual
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ConfigurationError(f"{name} must be a number from 0 up, not {text[:40]!r}.")
    return number
