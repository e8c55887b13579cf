"""Sizes, speeds, times left and what the hub says, as text for terminal and page."""

from __future__ import annotations

from comparator.hub.catalogue import SearchHit
from comparator.hub.downloads import DownloadStatus

_STATES = {
    "begin": "begins",
    "wait": "waits for another program that fetches the same",
    "download": "download",
    "check": "checks the checksum",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


def size_words(size: float) -> str:
    """Return bytes as kB, MB or GB (powers of ten)."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}" if unit == 1e9 else f"{size / unit:.0f} {name}"
    return f"{size / 1e3:.0f} kB"


def time_words(seconds: float | None) -> str:
    """Return a time to wait, such as ``3 min 20 s``; nothing where it is unknown."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min left"
    return f"{minutes} min {rest:02d} s left" if minutes else f"{rest} s left"


def figures(status: DownloadStatus) -> str:
    """Return bytes, speed and time left, as far as they are known."""
    parts = []
    if status.state in ("download", "check"):
        parts.append(f"{size_words(status.done)} of {size_words(status.total)}")
    if status.bytes_per_second:
        parts.append(f"{size_words(status.bytes_per_second)}/s")
    return ", ".join([*parts, *filter(None, [time_words(status.seconds_left)])])


def state_words(status: DownloadStatus) -> str:
    """Return what a download does."""
    return _STATES.get(status.state, status.state)


def found_cells(found: SearchHit, sized: bool) -> list[str]:
    """Return the engine, parameters, licence, downloads and, if asked for, sizes as text."""
    return [
        ", ".join(engine.value for engine in found.engines) or "–",
        parameter_words(found.parameters),
        found.licence or "–",
        f"{found.downloads:,}".replace(",", " "),
        *([_sizes(found)] if sized else []),
    ]


def parameter_words(parameters: int | None) -> str:
    """Return a count of parameters, such as ``135 M`` or ``7.2 B``; a dash where unknown."""
    if not parameters:
        return "–"
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


def _sizes(found: SearchHit) -> str:
    sizes = [choice.size for choice in found.choices]
    if len(sizes) == 1:
        return size_words(sizes[0])
    return f"{size_words(min(sizes))} to {size_words(max(sizes))}" if sizes else "–"
