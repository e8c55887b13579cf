"""Bytes, speeds, times and counts in words: the one place that writes them for people."""

from __future__ import annotations

NOT_MEASURED = "–"
_BYTES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_COUNTS = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3))


def size(number: float | None, nothing: str = "") -> str:
    """Return a number of bytes with a decimal unit: ``1.2 GB``, ``98 MB``, ``59 bytes``.

    Args:
        number: bytes.
        nothing: what is said of None and of 0.
    """
    return _size(number, 0, 1) if number else nothing


def fine_size(number: float | None, nothing: str = "0 bytes") -> str:
    """Return bytes with two digits more where they are gigabytes: ``1.23 GB``, ``98 MB``.

    For sentences that hold two sizes against each other, and for counters that rise.

    Args:
        number: bytes.
        nothing: what is said of None and of 0.
    """
    return _size(number, 2, 0) if number else nothing


def speed(tokens_per_second: float | None, nothing: str = "") -> str:
    """Return a speed with its unit; ``nothing`` for None."""
    if tokens_per_second is None:
        return nothing
    return f"{tokens_per_second:.{1 if tokens_per_second < 1000 else 0}f} tok/s"


def seconds(number: float | None, nothing: str = "") -> str:
    """Return a time that was measured, with its unit; ``nothing`` for None."""
    if number is None:
        return nothing
    return f"{number:.{2 if number < 100 else 0}f} s"


def long_time(number: float) -> str:
    """Return a time to wait, given in seconds: ``40 s``, ``3 min 20 s``, ``2 h 05 min``."""
    minutes, rest = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def count(number: float | None, nothing: str = "") -> str:
    """Return a large number as people say it: ``135 M``, ``7.2 B``; ``nothing`` for None and 0."""
    if not number:
        return nothing
    for letter, factor in _COUNTS:
        if number >= factor:
            amount = number / factor
            return f"{amount:.{1 if amount < 100 else 0}f} {letter}"
    return f"{number:.0f}"


def percent(share: float | None, nothing: str = "") -> str:
    """Return a share of 0 to 1 in words: ``97 %``; ``nothing`` for None."""
    return nothing if share is None else f"{100 * share:.0f} %"


def load_time(number: float | None, cached: float | None, nothing: str = "") -> str:
    """Return how long a load took, and how much of its files was in the file cache before it.

    Args:
        number: seconds.
        cached: 0 to 1; None where nobody tells, and then nothing is said of it.
        nothing: what is said of a load that was not measured.
    """
    if number is None:
        return nothing
    return seconds(number) + ("" if cached is None else f", files {percent(cached)} cached")


def _size(number: float, digits_of_gigabytes: int, digits_below_ten: int) -> str:
    for unit, factor in _BYTES:
        if number >= factor:
            amount = number / factor
            digits = digits_below_ten if amount < 10 else 0
            digits = max(digits, digits_of_gigabytes if unit == "GB" else 0)
            return f"{amount:.{digits}f} {unit}"
    return f"{number:.0f} bytes"
