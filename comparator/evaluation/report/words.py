"""What is said of figures wherever a suite is written down: never one without its interval."""

from __future__ import annotations

from collections.abc import Sequence

from comparator.core.limits import LETTERS
from comparator.core.units import NOT_MEASURED as NOT_MEASURED
from comparator.storage.kept_suite import AssertionOutcome, Record

_SHORT = 60  # letters of what an assertion compares with


def letter_of(slot: int) -> str:
    """Return the letter of a slot; of the 27th and later ones its number."""
    return LETTERS[slot] if slot < len(LETTERS) else str(slot + 1)


def assertion_in_words(outcome: AssertionOutcome, value: object = None) -> str:
    """Return an assertion's type, what it compares with where that is short, and its score."""
    told = f" “{value}”" if isinstance(value, str) and 0 < len(value) <= _SHORT else ""
    score = "" if outcome.score is None else f" ({outcome.score:.2f})"
    return f"{outcome.type}{told}{score}"


def rate_in_words(rate: float | None, interval: Sequence[float] | None) -> str:
    """Return a share with its interval: ``67 % (20 to 94 %)``; never the one without the other."""
    if rate is None or not interval:
        return NOT_MEASURED
    return f"{100 * rate:.0f} % ({100 * interval[0]:.0f} to {100 * interval[1]:.0f} %)"


def difference_in_words(pair: Record) -> str:
    """Return a difference of two slots with its interval, in points."""
    if pair.get("difference") is None or not pair.get("interval"):
        return NOT_MEASURED
    low, high = (100 * end for end in pair["interval"])
    return f"{100 * pair['difference']:+.0f} points ({low:+.0f} to {high:+.0f})"


def chance_in_words(pair: Record) -> str:
    """Return a pair's p-value, adjusted where there are several pairs."""
    value = pair.get("adjusted_p_value", pair.get("p_value"))
    if value is None:
        return NOT_MEASURED
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def counted(number: int, word: str) -> str:
    """Return a number of things: ``1 prompt``, ``2 prompts``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
